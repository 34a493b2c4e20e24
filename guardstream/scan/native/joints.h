/* Joint states: one state for all patterns that are awake, so that a character costs one look-up
   (`joints.py`). Ordinary text leads to few of them.

   Their number is bounded, and they rest if a text keeps leading to new ones. */

#ifndef GUARDSTREAM_JOINTS_H
#define GUARDSTREAM_JOINTS_H

#include "memory.h"

/* After TRIAL characters they have to be worth building: if more than one character in WORTH led to
   a new one, they rest for REST characters, and for twice as many each time. */
#define TRIAL 4096
#define WORTH 2
#define REST 65536
#define MAX_REST (REST << 4)

typedef struct {
    int32_t pattern, state;
    int32_t registers, count; /* where its registers begin, and how many there are */
} Run;

typedef struct {
    Run *runs;
    int64_t *registers;
    int32_t count, room, register_count, register_room;
} Runs;

/* Where a joint state leads on a class of characters. Most leaps change no register and accept
   nothing. What the others do is in the notes: whether registers move, and how many patterns accept;
   if registers move, for each of the target's, the number of its sources, and these; then
   JOINT_ACCEPT_INTS for each accept. Leaps are many and looked up at random, so they are small. */
typedef struct {
    int32_t joint, class, target;
    int32_t notes; /* where they begin, or NONE */
} Leap;

typedef struct {
    int32_t first, count; /* its runs, in `run` */
    int32_t registers;    /* how many a stream has here */
    int32_t last;         /* a class of the kind that the last character is of */
    /* Where its oldest hold-back began: the least of these registers, in `holds`, or so far back.
       NOT_YET as long as nobody has asked. */
    int32_t hold, holds, distance;
    Leap usual; /* where it led first; most always lead there; its class may be NONE */
} Joint;

#define NOT_YET (-2)

#define JOINT_ACCEPT_INTS 3 /* pattern, note of its edge, where its registers began before */

typedef struct {
    Numbers known; /* by what the sleeping patterns ask of the last character, and the patterns that
                      are awake, each with its state */
    Joint *joint;
    Run *run;
    Leap *leap; /* those that are not usual: an open hash table, where the joint of a free slot
                   is NONE */
    int32_t joint_room, runs, run_room, leaps, leap_room;
    Ints notes, holds, key;
    Ints moves, accepts; /* the notes of the character that is being read, as leaps have them */
    int32_t read, missed; /* in this trial */
    int32_t rest, pause;  /* for how many characters more, and for how many the last time */
} Joints;

static void
joints_free(Joints *self)
{
    Ints *ints[] = {&self->notes, &self->holds, &self->key, &self->moves, &self->accepts};
    for (size_t index = 0; index < COUNT_OF(ints); index++) {
        ints_free(ints[index]);
    }
    numbers_free(&self->known);
    PyMem_Free(self->joint);
    PyMem_Free(self->run);
    PyMem_Free(self->leap);
    Joints none = {.read = self->read, .missed = self->missed, .rest = self->rest,
                   .pause = self->pause};
    *self = none;
}

static int64_t
joints_bytes(const Joints *self)
{
    return numbers_bytes(&self->known) + (int64_t)sizeof(Joint) * self->joint_room
        + (int64_t)sizeof(Run) * self->run_room + (int64_t)sizeof(Leap) * self->leap_room
        + (int64_t)sizeof(int32_t) * ((int64_t)self->notes.room + self->holds.room);
}

/* Whether the next character is to be read by joint states, and no trial of them ends with it. */
static inline int
joints_go_on(const Joints *self)
{
    return self->rest == 0 && self->read < TRIAL;
}

/* Whether the next character should be read by joint states. */
static int
joints_worth(Joints *self)
{
    if (self->rest > 0) {
        self->rest--;
        return 0;
    }
    if (++self->read > TRIAL) {
        int worth = WORTH * self->missed <= self->read;
        self->pause = worth ? 0 : self->pause == 0 ? REST : 2 * self->pause;
        self->rest = self->pause = self->pause < MAX_REST ? self->pause : MAX_REST;
        self->read = self->missed = 0;
    }
    return 1;
}

/* The joint state of runs, with registers in the order of the runs, after the class `last` of a kind:
   a number or ERROR. */
static int32_t
joint_of(Joints *self, int32_t kind, int32_t last, const Runs *runs)
{
    Ints *key = &self->key;
    int32_t known = self->known.count;
    if (grown((void **)&key->at, &key->room, 1 + 2 * (int64_t)runs->count, sizeof(int32_t)) < 0) {
        return ERROR;
    }
    key->at[0] = kind;
    key->count = 1 + 2 * runs->count;
    for (int32_t index = 0; index < runs->count; index++) {
        key->at[2 * index + 1] = runs->runs[index].pattern;
        key->at[2 * index + 2] = runs->runs[index].state;
    }
    if (grown((void **)&self->joint, &self->joint_room, (int64_t)known + 1, sizeof(Joint)) < 0
        || grown((void **)&self->run, &self->run_room, (int64_t)self->runs + runs->count + 1,
                 sizeof(Run)) < 0) {
        return ERROR;
    }
    int32_t number = numbers_of(&self->known, key->at, key->count);
    if (number < known) {
        return number;
    }
    Joint joint = {self->runs, runs->count, runs->register_count, last, 0, 0, NOT_YET,
                   {NONE, NONE, NONE, NONE}};
    if (runs->count) {
        memcpy(self->run + self->runs, runs->runs, (size_t)runs->count * sizeof(Run));
    }
    self->runs += runs->count;
    self->joint[number] = joint;
    return number;
}

/* The slot of a joint state and class in a table that has room. */
static inline Leap *
leap_slot(const Joints *self, int32_t joint, int32_t class)
{
    uint32_t mask = (uint32_t)self->leap_room - 1;
    uint32_t hash = ((uint32_t)joint * 0x9E3779B1u ^ (uint32_t)class) * 0x85EBCA6Bu;
    uint32_t at = (hash ^ hash >> 15) & mask;
    while (self->leap[at].joint != NONE
           && (self->leap[at].joint != joint || self->leap[at].class != class)) {
        at = (at + 1) & mask;
    }
    return &self->leap[at];
}

/* Where a joint state has led on a class; NULL if it has not been there. */
static inline const Leap *
joints_leap(const Joints *self, int32_t joint, int32_t class)
{
    const Leap *leap = &self->joint[joint].usual;
    if (leap->class == class) {
        return leap;
    }
    leap = self->leap_room ? leap_slot(self, joint, class) : NULL;
    return leap == NULL || leap->joint == NONE ? NULL : leap;
}

/* Keep half of the table of leaps free. */
static int
leaps_grown(Joints *self)
{
    if (2 * (self->leaps + 1) <= self->leap_room) {
        return 0;
    }
    Leap *old = self->leap;
    int32_t room = self->leap_room;
    self->leap = NULL;
    self->leap_room = 0;
    if (grown((void **)&self->leap, &self->leap_room, 2 * ((int64_t)self->leaps + 1),
              sizeof(Leap)) < 0) {
        self->leap = old;
        self->leap_room = room;
        return ERROR;
    }
    memset(self->leap, 0xFF, (size_t)self->leap_room * sizeof(Leap));
    for (int32_t at = 0; at < room; at++) {
        if (old[at].joint != NONE) {
            *leap_slot(self, old[at].joint, old[at].class) = old[at];
        }
    }
    PyMem_Free(old);
    return 0;
}

/* Note how a pattern's registers, which begin at `at`, change: for each, `move` has the number of its
   sources, and these; NULL if they stay. */
static int
joints_move(Joints *self, int32_t count, const int32_t *move, int32_t at)
{
    for (int32_t index = 0; index < count; index++) {
        int32_t sources = move == NULL ? 1 : *move++;
        if (ints_push(&self->moves, sources) < 0) {
            return ERROR;
        }
        for (; sources; sources--) {
            int32_t source = move == NULL ? index : *move++;
            if (ints_push(&self->moves, source < 0 ? source : at + source) < 0) {
                return ERROR;
            }
        }
    }
    return 0;
}

/* Whether all registers stay where they are and what they are. */
static int
registers_stay(const Ints *moves)
{
    for (int32_t at = 0; at < moves->count; at += 2) {
        if (moves->at[at] != 1 || moves->at[at + 1] != at / 2) {
            return 0;
        }
    }
    return 1;
}

/* Put into the notes what the present character has done: returns where that begins, NONE if it did
   nothing, or BROKEN. */
static int32_t
joints_note(Joints *self)
{
    int32_t moves = registers_stay(&self->moves) ? 0 : self->moves.count;
    const int32_t head[2] = {moves > 0, self->accepts.count / JOINT_ACCEPT_INTS};
    if (!head[0] && !head[1]) {
        return NONE;
    }
    int32_t first = ints_append(&self->notes, head, 2);
    if (first < 0 || ints_append(&self->notes, self->moves.at, moves) < 0
        || ints_append(&self->notes, self->accepts.at, self->accepts.count) < 0) {
        return BROKEN;
    }
    return first;
}

/* Remember where a joint state has led. */
static int
joints_link(Joints *self, int32_t joint, int32_t class, int32_t target)
{
    Leap leap = {joint, class, target, joints_note(self)};
    Leap *usual = &self->joint[joint].usual;
    if (leap.notes == BROKEN) {
        return ERROR;
    }
    if (usual->class == NONE) {
        *usual = leap;
        return 0;
    }
    if (leaps_grown(self) < 0) {
        return ERROR;
    }
    *leap_slot(self, joint, class) = leap;
    self->leaps++;
    return 0;
}

#endif
