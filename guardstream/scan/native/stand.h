/* Where a stream stands: the patterns that are awake, with their registers. */

#ifndef GUARDSTREAM_STAND_H
#define GUARDSTREAM_STAND_H

#include "machine.h"
#include "matches.h"

/* Where a stream stands. */
typedef struct {
    Runs runs; /* in a joint state, only the registers: it has the rest */
    Piles open;
    int64_t offset;
    int32_t last;
    int32_t joint; /* the joint state of the runs, or NONE if it is not known */
} Stand;

/* A pattern, and where its oldest hold-back began. */
typedef struct {
    int32_t pattern;
    int64_t hold;
} Lost, Failure;

struct stream {
    PyObject_HEAD
    Machine *machine;
    Stream *before, *after; /* the machine's other streams */
    Stand now, mark;
    Runs other; /* for reading the text again: the lookbehinds of a pattern, then the pattern */
    OpenMatches hits; /* the matches of eager patterns that the last character has completed */
    Lost *lost;       /* the patterns whose candidates have overflowed and live on */
    int32_t lost_count, lost_room;
    Failure *failures; /* the patterns that would have had too many threads, and are disabled */
    int32_t failure_count, failure_room, failure_mark;
    uint8_t *off;  /* the patterns that are disabled, or NULL */
    uint8_t due;   /* what the last character that was read asks for */
    uint8_t busy;  /* while it reads: another thread must not read too */
    uint8_t broken; /* after an error that has left its states unknown */
};

static int
is_busy(const Stream *self)
{
    if (self->busy || self->broken) {
        PyErr_SetString(PyExc_RuntimeError, self->busy ? READS : HAS_FAILED);
        return 1;
    }
    return 0;
}

/* Put runs in the place of others. */
static int
runs_taken(Runs *to, const Run *runs, int32_t count)
{
    if (grown((void **)&to->runs, &to->room, count, sizeof(Run)) < 0) {
        return ERROR;
    }
    if (count) {
        memcpy(to->runs, runs, (size_t)count * sizeof(Run));
    }
    to->count = count;
    return 0;
}

/* The patterns that are awake. */
static const Run *
stand_runs(const Machine *machine, const Stand *stand, int32_t *count)
{
    if (stand->joint == NONE) {
        *count = stand->runs.count;
        return stand->runs.runs;
    }
    const Joint *joint = &machine->joints.joint[stand->joint];
    *count = joint->count;
    return machine->joints.run + joint->first;
}

/* How many registers the patterns have that are awake. */
static int32_t
stand_registers(const Machine *machine, const Stand *stand)
{
    return stand->joint == NONE ? stand->runs.register_count
                                : machine->joints.joint[stand->joint].registers;
}

/* Leave the joint state: the runs are the stand's own then. */
static int
stand_leave(const Machine *machine, Stand *stand)
{
    if (stand->joint == NONE) {
        return 0;
    }
    int32_t count;
    const Run *runs = stand_runs(machine, stand, &count);
    if (runs_taken(&stand->runs, runs, count) < 0) {
        return ERROR;
    }
    stand->runs.register_count = stand_registers(machine, stand);
    stand->joint = NONE;
    return 0;
}

static int
stand_copy(const Machine *machine, Stand *to, const Stand *from)
{
    int32_t registers = stand_registers(machine, from);
    if (grown((void **)&to->runs.registers, &to->runs.register_room, registers, sizeof(int64_t)) < 0
        || piles_reserve(&to->open, &from->open) < 0
        || (from->joint == NONE && runs_taken(&to->runs, from->runs.runs, from->runs.count) < 0)) {
        return ERROR;
    }
    if (registers) {
        memcpy(to->runs.registers, from->runs.registers, (size_t)registers * sizeof(int64_t));
    }
    piles_copy(&to->open, &from->open);
    to->runs.register_count = registers;
    to->offset = from->offset;
    to->last = from->last;
    to->joint = from->joint;
    return 0;
}

/* An offset as registers.py has it: a source below 0 is counted from the character's own. */
static inline int64_t
resolved(int32_t source, const int64_t *registers, int64_t offset)
{
    return source >= 0 ? registers[source] : offset + 2 + source;
}

static inline int64_t
least_of(const int32_t *sources, int32_t count, const int64_t *registers, int64_t offset)
{
    int64_t least = resolved(sources[0], registers, offset);
    for (int32_t index = 1; index < count; index++) {
        int64_t other = resolved(sources[index], registers, offset);
        least = other < least ? other : least;
    }
    return least;
}

/* Write `count` registers as a list of their sources says, or unchanged if there is none: returns what
   comes after the list. */
static inline const int32_t *
registers_put(int64_t *to, int32_t count, const int32_t *move, const int64_t *from, int64_t offset)
{
    if (move == NULL) {
        /* They are few: a call would take longer. */
        for (int32_t index = 0; index < count; index++) {
            to[index] = from[index];
        }
        return NULL;
    }
    for (int32_t index = 0; index < count; index++) {
        to[index] = least_of(move + 1, move[0], from, offset);
        move += 1 + move[0];
    }
    return move;
}

/* The list of sources by which an edge changes registers; NULL if they stay. */
static inline const int32_t *
edge_moves(const Cache *cache, const Edge *edge)
{
    return edge->moves == NONE ? NULL : cache->notes.at + edge->moves + 1;
}

/* Append a run that follows an edge on the character at `offset`. */
static int
runs_follow(Runs *runs, int32_t pattern, const Cache *cache, const Edge *edge,
            const int64_t *from, int64_t offset)
{
    int32_t count = edge->registers;
    count = count == NONE ? cache->state[edge->target].registers : count;
    if (grown((void **)&runs->runs, &runs->room, (int64_t)runs->count + 1, sizeof(Run)) < 0
        || grown((void **)&runs->registers, &runs->register_room,
                 (int64_t)runs->register_count + count, sizeof(int64_t)) < 0) {
        return ERROR;
    }
    registers_put(runs->registers + runs->register_count, count, edge_moves(cache, edge), from,
                  offset);
    Run run = {pattern, edge->target, runs->register_count, count};
    runs->runs[runs->count++] = run;
    runs->register_count += count;
    return 0;
}

/* The run of a pattern, NULL if it sleeps. */
static const Run *
run_of(const Stream *self, int32_t pattern)
{
    int32_t count;
    const Run *run = stand_runs(self->machine, &self->now, &count);
    for (; count; run++, count--) {
        if (run->pattern == pattern) {
            return run;
        }
    }
    return NULL;
}

static void
runs_remove(Runs *runs, int32_t pattern)
{
    int32_t kept = 0;
    for (int32_t index = 0; index < runs->count; index++) {
        if (runs->runs[index].pattern != pattern) {
            runs->runs[kept++] = runs->runs[index];
        }
    }
    runs->count = kept;
}

static int64_t
live_oldest(const Cache *cache, const Live *live, const int64_t *registers, int64_t offset)
{
    int64_t oldest = offset - live->distance;
    for (int32_t index = 0; index < live->count; index++) {
        int64_t began = registers[cache->registers.at[live->first + index]];
        oldest = began < oldest ? began : oldest;
    }
    return oldest;
}

/* Where a pattern's oldest candidate, or its hold-back, began; beyond the present if none lives. */
static int64_t
run_oldest(const Stream *self, const Run *run, int holding)
{
    const Cache *cache = &self->machine->automata[run->pattern].cache;
    const State *state = &cache->state[run->state];
    return live_oldest(cache, holding ? &state->holds : &state->starts,
                       self->now.runs.registers + run->registers, self->now.offset);
}

static int64_t
pattern_oldest(const Stream *self, int32_t pattern, int holding)
{
    const Run *run = run_of(self, pattern);
    return run == NULL ? self->now.offset + 1 : run_oldest(self, run, holding);
}

/* Let every stream leave its joint state. */
static int
streams_leave(Machine *machine)
{
    int result = 0;
    for (Stream *stream = machine->streams; stream != NULL; stream = stream->after) {
        if (stand_leave(machine, &stream->now) < 0 || stand_leave(machine, &stream->mark) < 0) {
            stream->now.runs.count = stream->mark.runs.count = 0;
            stream->now.joint = stream->mark.joint = NONE;
            stream->broken = 1;
            result = ERROR;
        }
    }
    return result;
}

/* After a flush: replace the states of every stream by their present equals. */
static int
streams_renew(Machine *machine, int32_t pattern, const Cache *old)
{
    Automaton *automaton = &machine->automata[pattern];
    Ints renewed = {0};
    int result = 0;
    for (Stream *stream = machine->streams; stream != NULL; stream = stream->after) {
        Runs *all[] = {&stream->now.runs, &stream->mark.runs, &stream->other};
        for (size_t which = 0; which < COUNT_OF(all); which++) {
            for (int32_t index = 0; index < all[which]->count; index++) {
                Run *run = &all[which]->runs[index];
                if (run->pattern != pattern) {
                    continue;
                }
                int32_t state = ints_get(&renewed, run->state);
                if (state == NONE) {
                    state = state_renewed(automaton, old, run->state);
                    if (state < 0 || ints_set(&renewed, run->state, state) < 0) {
                        state = NONE;
                    }
                }
                if (state == NONE) {
                    stream->broken = 1;
                    stream->now.runs.count = stream->mark.runs.count = 0;
                    stream->other.count = 0;
                    result = ERROR;
                    break;
                }
                run->state = state;
            }
        }
    }
    ints_free(&renewed);
    return result;
}

/* After the classes were forgotten: give every stream the present number of its last class. */
static int
streams_reclass(Machine *machine, const Numbers *old)
{
    int result = 0;
    for (Stream *stream = machine->streams; stream != NULL; stream = stream->after) {
        Stand *stands[] = {&stream->now, &stream->mark};
        for (size_t which = 0; which < COUNT_OF(stands); which++) {
            const int32_t *bits = numbers_key(old, stands[which]->last);
            int32_t last = numbers_of(&machine->classes, bits, machine->words);
            if (last < 0) {
                stream->broken = 1;
                result = ERROR;
            }
            stands[which]->last = last < 0 ? BEGIN : last;
        }
    }
    return result;
}

#endif
