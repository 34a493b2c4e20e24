/* How a stream reads a character, what it accepts, and where text waits for it. */

#ifndef GUARDSTREAM_STEP_H
#define GUARDSTREAM_STEP_H

#include "stand.h"

/* --- what is accepted --------------------------------------------------------------------- */

/* File a match until it is settled. */
static int
stream_file(Stream *self, const OpenMatch *new)
{
    Piles *open = &self->now.open;
    Pile *pile = pile_of(open, new->pattern);
    if (self->machine->flags[new->pattern] & LOOSE) {
        return pile == NULL ? pile_push(open, new) : match_inserted(open, pile, new);
    }
    /* An accepting thread undoes what threads after it had accepted. If it may be refused, it is
       held for these, too, and for the threads that it cuts: all of them come back then. */
    Automaton *automaton = &self->machine->automata[new->pattern];
    OpenMatch held = *new;
    held.written &= !automaton->least_hold;
    while (pile != NULL && pile->count > pile->head
           && pile->at[pile->count - 1].start >= new->start) {
        const OpenMatch *undone = &pile->at[--pile->count];
        pile->waiting -= !undone->written;
        if (automaton->least_hold && !undone->written && undone->hold < held.hold) {
            held.hold = undone->hold;
            held.written = 0;
            automaton->blurred = 1;
        }
    }
    return pile_push(open, &held);
}

/* Take the accepts of an edge, in the notes from `at` on, on the character at `offset`. */
static int
accepts_taken(const Cache *cache, int32_t at, int32_t pattern, const int64_t *registers,
              int64_t offset, OpenMatches *into)
{
    const int32_t *note = cache->notes.at + at;
    for (int32_t count = *note++; count; count--) {
        OpenMatch found = {0};
        found.pattern = pattern;
        found.start = resolved(note[0], registers, offset);
        found.end = resolved(note[1], registers, offset);
        found.late = (uint8_t)note[2];
        found.hold = least_of(note + NOTE_INTS, note[3], registers, offset);
        /* If an empty group masks nothing, text waits only for a late match: it is read again after it. */
        found.written = !found.late && found.hold >= found.end;
        note += NOTE_INTS + note[3];
        if (matches_push(into, &found) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Leave only eager patterns' matches among the hits; file the others. */
static int
hits_filed(Stream *self)
{
    int32_t kept = 0;
    for (int32_t index = 0; index < self->hits.count; index++) {
        OpenMatch hit = self->hits.at[index];
        if (self->machine->flags[hit.pattern] & EAGER) {
            self->hits.at[kept++] = hit;
        }
        else if (stream_file(self, &hit) < 0) {
            return ERROR;
        }
    }
    self->hits.count = kept;
    return 0;
}

static int
is_lost(const Stream *self, int32_t pattern)
{
    for (int32_t index = 0; index < self->lost_count; index++) {
        if (self->lost[index].pattern == pattern) {
            return pattern_oldest(self, pattern, 1) <= self->lost[index].hold;
        }
    }
    return 0;
}

/* Whether matches are certain, or the character needs attention: an eager pattern has matched, a
   match is certain that is not plain, or a candidate that is masked as it arrives has ended. */
static int
needs_attention(const Stream *self)
{
    int needs = self->hits.count || self->failure_count ? DUE : 0;
    for (int32_t index = 0; index < self->now.open.count && !(needs & DUE); index++) {
        const Pile *pile = &self->now.open.at[index];
        if (pile->at[pile->head].start < pattern_oldest(self, pile->pattern, 0)) {
            needs |= self->machine->flags[pile->pattern] & PLAIN ? CERTAIN : DUE;
        }
    }
    for (int32_t index = 0; index < self->lost_count && !(needs & DUE); index++) {
        if (pattern_oldest(self, self->lost[index].pattern, 1) > self->lost[index].hold) {
            needs |= DUE;
        }
    }
    return needs;
}

/* Never wake a pattern again. */
static int
pattern_disable(Stream *self, int32_t pattern)
{
    if (stand_leave(self->machine, &self->now) < 0) {
        return ERROR;
    }
    if (self->off == NULL) {
        self->off = PyMem_Calloc((size_t)self->machine->patterns, 1);
        if (self->off == NULL) {
            PyErr_NoMemory();
            return ERROR;
        }
    }
    self->off[pattern] = 1;
    runs_remove(&self->now.runs, pattern);
    pile_remove(&self->now.open, pattern);
    return 0;
}

/* Disable a pattern that would have too many threads. Its oldest hold-back began at `hold`. */
static int
pattern_fail(Stream *self, int32_t pattern, int64_t hold)
{
    if (grown((void **)&self->failures, &self->failure_room, (int64_t)self->failure_count + 1,
              sizeof(Failure)) < 0) {
        return ERROR;
    }
    Failure failure = {pattern, hold};
    self->failures[self->failure_count++] = failure;
    return pattern_disable(self, pattern);
}

/* Where a pattern's oldest hold-back began, of a candidate or an open match; the present offset if
   no text waits for it. */
static int64_t
pattern_hold(const Stream *self, int32_t pattern)
{
    int64_t hold = pattern_oldest(self, pattern, 1);
    if (!(self->machine->flags[pattern] & HOLDS)) {
        return self->now.offset;
    }
    hold = hold < self->now.offset ? hold : self->now.offset;
    const Pile *pile = pile_of(&self->now.open, pattern);
    for (int32_t index = pile ? pile->head : 0; pile && index < pile->count; index++) {
        hold = pile->at[index].hold < hold ? pile->at[index].hold : hold;
    }
    return hold;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Take what an edge accepts, and note it for the joint states if these are `worth` building. */
static int
edge_accepts(Stream *self, const Followed *followed, int worth)
{
    Machine *machine = self->machine;
    int32_t pattern = followed->pattern, at = followed->registers;
    const int32_t note[JOINT_ACCEPT_INTS] = {pattern, followed->edge.accepts, at};
    if (worth && ints_append(&machine->joints.accepts, note, JOINT_ACCEPT_INTS) < 0) {
        return ERROR;
    }
    return accepts_taken(&machine->automata[pattern].cache, note[1], pattern,
                         self->now.runs.registers + at, self->now.offset, &self->hits);
}

/* Let patterns follow edges, into `next`. The effects are noted for the joint states, if these are
   `worth` building. */
static int
edges_followed(Stream *self, int32_t count, int worth)
{
    Machine *machine = self->machine;
    Runs *next = &machine->next;
    const Followed *followed = machine->followed, *end = followed + count;
    int64_t registers = 0;
    for (const Followed *each = followed; each < end; each++) {
        registers += each->edge.registers > 0 ? each->edge.registers : 0;
    }
    if (grown((void **)&next->runs, &next->room, count, sizeof(Run)) < 0
        || grown((void **)&next->registers, &next->register_room, registers, sizeof(int64_t)) < 0) {
        return ERROR;
    }
    int32_t runs = 0, filled = 0;
    for (; followed < end; followed++) {
        const Edge *edge = &followed->edge;
        if (edge->accepts != NONE && edge_accepts(self, followed, worth) < 0) {
            return ERROR;
        }
        if (edge->registers == NONE) {
            continue;
        }
        next->runs[runs++] = (Run){followed->pattern, edge->target, filled, edge->registers};
        if (!edge->registers) {
            continue;
        }
        const int32_t *move = edge_moves(&machine->automata[followed->pattern].cache, edge);
        registers_put(next->registers + filled, edge->registers, move,
                      self->now.runs.registers + followed->registers, self->now.offset);
        if (worth
            && joints_move(&machine->joints, edge->registers, move, followed->registers) < 0) {
            return ERROR;
        }
        filled += edge->registers;
    }
    next->count = runs;
    next->register_count = filled;
    return 0;
}

/* Find the edges of the patterns that are awake: how many there are, or a failure of `machine_edge`,
   below 0. */
static int32_t
awake_edges(Stream *self, int32_t class)
{
    Machine *machine = self->machine;
    int32_t count;
    const Run *run = stand_runs(machine, &self->now, &count);
    const uint16_t *locals = machine_locals(machine, class);
    if (locals == NULL
        || grown((void **)&machine->followed, &machine->followed_room, count,
                 sizeof(Followed)) < 0) {
        return ERROR;
    }
    Followed *followed = machine->followed;
    for (const Run *end = run + count; run < end; run++, followed++) {
        const Automaton *automaton = &machine->automata[run->pattern];
        int32_t local = locals[run->pattern];
        int32_t number = local == MISSING ? NONE : known_edge(automaton, run->state, local);
        if (number == NONE) {
            number = machine_edge(machine, run->pattern, run->state, class);
        }
        if (number < 0) {
            return number;
        }
        machine->awake[run->pattern] = machine->clock;
        followed->edge = automaton->cache.edge[number];
        followed->pattern = run->pattern;
        followed->registers = run->registers;
    }
    return count;
}

/* Find the edges of the patterns that wake, after the first `count`: how many there are then. */
static int32_t
woken_edges(Stream *self, int32_t class, int32_t count)
{
    Machine *machine = self->machine;
    int32_t number = machine_wakes(machine, self->now.last, class);
    if (number < 0) {
        return number;
    }
    const Span span = machine->span[number];
    if (grown((void **)&machine->followed, &machine->followed_room, (int64_t)count + span.count,
              sizeof(Followed)) < 0) {
        return ERROR;
    }
    for (int32_t index = span.first; index < span.first + span.count; index++) {
        const Wake *wake = &machine->wake[index];
        if (machine->awake[wake->pattern] == machine->clock
            || (self->off && self->off[wake->pattern])) {
            continue;
        }
        Followed *followed = &machine->followed[count++];
        followed->edge = wake->edge;
        followed->pattern = wake->pattern;
        followed->registers = 0;
    }
    return count;
}

/* Note the lookbehinds that a class wakes and that match after it. */
static int
woken_told(Stream *self, int32_t class)
{
    Machine *machine = self->machine;
    int32_t number = machine_wakes(machine, self->now.last, class);
    if (number < 0) {
        return number;
    }
    const Span span = machine->span[number];
    const Wake *first = machine->wake + span.first, *wake = first + span.count;
    for (; wake > first && wake[-1].pattern >= machine->lookbehinds; wake--) {
        if (machine->awake[wake[-1].pattern] != machine->clock
            && machine_tells(machine, wake[-1].pattern, wake[-1].edge.target) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* The class of a character with the bits of the lookbehinds that match after it; without them it is
   `class`. */
static int32_t
class_read(Stream *self, int32_t class)
{
    Machine *machine = self->machine;
    if (!machine->tells.count) {
        return class;
    }
    int32_t count;
    const Run *run = stand_runs(machine, &self->now, &count);
    machine->told.count = 0;
    for (const Run *end = run + count; run < end; run++) {
        if (run->pattern < machine->lookbehinds) {
            continue;
        }
        int32_t edge = machine_edge(machine, run->pattern, run->state, class);
        machine->awake[run->pattern] = machine->clock;
        if (edge < 0) {
            return edge;
        }
        const Cache *cache = &machine->automata[run->pattern].cache;
        if (machine_tells(machine, run->pattern, cache->edge[edge].target) < 0) {
            return ERROR;
        }
    }
    int result = woken_told(self, class);
    return result < 0 ? result : machine_told(machine, class);
}

/* Step all patterns that are awake into `next`, and say what the character's class is then. Nothing
   is changed if something is WANTED first. All edges are found before one is followed, so that the
   processor can load them in parallel. */
static int
stream_advance(Stream *self, int32_t *class, int worth)
{
    Machine *machine = self->machine;
    machine->joints.moves.count = machine->joints.accepts.count = 0;
    if (machine->clock == INT32_MAX) {
        memset(machine->awake, 0, (size_t)machine->patterns * sizeof(int32_t));
        machine->clock = 0;
    }
    machine->clock++;
    int32_t read = class_read(self, *class);
    int32_t count = read < 0 ? read : awake_edges(self, read);
    count = count < 0 ? count : woken_edges(self, read, count);
    *class = read;
    return count < 0 ? count : edges_followed(self, count, worth);
}

/* Do what the notes of a leap say: move registers, and take accepts. */
static int
notes_followed(Stream *self, const Leap *leap)
{
    Machine *machine = self->machine;
    Runs *now = &self->now.runs, *next = &machine->next;
    const int32_t *note = machine->joints.notes.at + leap->notes;
    int32_t moves = *note++, accepts = *note++;
    if (moves) {
        int32_t count = machine->joints.joint[leap->target].registers;
        if (grown((void **)&next->registers, &next->register_room, count, sizeof(int64_t)) < 0) {
            return ERROR;
        }
        note = registers_put(next->registers, count, note, now->registers, self->now.offset);
    }
    for (; accepts; accepts--, note += JOINT_ACCEPT_INTS) {
        if (accepts_taken(&machine->automata[note[0]].cache, note[1], note[0],
                          now->registers + note[2], self->now.offset, &self->hits) < 0) {
            return ERROR;
        }
    }
    if (moves) {
        int64_t *registers = now->registers;
        int32_t room = now->register_room;
        now->registers = next->registers;
        now->register_room = next->register_room;
        next->registers = registers;
        next->register_room = room;
    }
    return 0;
}

/* Follow the joint state's leap on a class, if it is known: returns whether it is. */
static inline int
stream_leap(Stream *self, int32_t class)
{
    const Joints *joints = &self->machine->joints;
    const Leap *leap =
        self->now.joint == NONE ? NULL : joints_leap(joints, self->now.joint, class);
    if (leap == NULL) {
        return 0;
    }
    if (leap->notes != NONE && notes_followed(self, leap) < 0) {
        return ERROR;
    }
    self->now.joint = leap->target;
    self->now.last = joints->joint[leap->target].last;
    return 1;
}

/* Take the runs in `next`, to which a character has led, and remember them as a joint state. It was
   read as of another class than its own if lookbehinds match after it. */
static int
stream_arrive(Stream *self, int32_t class, int32_t read, int worth)
{
    Machine *machine = self->machine;
    Joints *joints = &machine->joints;
    int32_t joint = NONE;
    if (worth) {
        int32_t kind = machine_kind(machine, read);
        joints->missed++;
        if (joints_bytes(joints) > machine->limit / JOINT_SHARE && joints_forget(machine) < 0) {
            return ERROR;
        }
        if (kind < 0 || (joint = joint_of(joints, kind, read, &machine->next)) < 0
            || (self->now.joint != NONE
                && joints_link(joints, self->now.joint, class, joint) < 0)) {
            return ERROR;
        }
    }
    Runs before = self->now.runs;
    self->now.runs = machine->next;
    self->now.joint = joint;
    self->now.last = read;
    machine->next = before;
    return 0;
}

/* What the character that was read asks for, or ERROR. */
static inline int
stream_asks(Stream *self)
{
    self->now.offset++;
    self->due = 0;
    if (!(self->hits.count | self->now.open.count | self->lost_count | self->failure_count)) {
        return 0;
    }
    int due = hits_filed(self) < 0 ? ERROR : needs_attention(self);
    self->due = (uint8_t)(due > 0 ? due : 0);
    return due;
}

/* Read a character for which something may have to be built: returns what it asks for, or ERROR. */
static int
stream_find(Stream *self, Py_UCS4 code)
{
    Machine *machine = self->machine;
    for (;;) {
        if (machine->full && machine_bound(machine) < 0) {
            return ERROR;
        }
        int32_t class = machine_class(machine, code);
        if (class < 0) {
            return ERROR;
        }
        self->hits.count = 0;
        int worth = self->off == NULL && joints_worth(&machine->joints);
        int result = worth ? stream_leap(self, class) : 0;
        int32_t read = class;
        if (result == 0 && (result = stream_advance(self, &read, worth)) == 0) {
            result = stream_arrive(self, class, read, worth) < 0 ? ERROR : 1;
        }
        machine->next.count = 0;
        if (result > 0) {
            return stream_asks(self);
        }
        /* Then the others read the character. */
        if (result == TOO_MANY
                ? pattern_fail(self, machine->wanted, pattern_hold(self, machine->wanted)) < 0
                : result != WANTED || machine_fetch(machine) < 0) {
            return ERROR;
        }
    }
}

/* Read a character: returns what it asks for, or ERROR. */
static inline int
stream_step(Stream *self, Py_UCS4 code)
{
    Machine *machine = self->machine;
    int32_t class = known_class(machine, code);
    if (class != MISSING && !machine->full && self->off == NULL
        && joints_go_on(&machine->joints)) {
        self->hits.count = 0;
        int leapt = stream_leap(self, class);
        if (leapt != 0) {
            machine->joints.read++;
            return leapt < 0 ? ERROR : stream_asks(self);
        }
    }
    return stream_find(self, code);
}

/* Read `text[begin:end]` up to a character that asks for anything: returns the index after it. */
static Py_ssize_t
stream_read(Stream *self, PyObject *text, Py_ssize_t begin, Py_ssize_t end)
{
    int due = 0;
    self->hits.count = 0;
    self->failure_mark = self->failure_count;
    if (stand_copy(self->machine, &self->mark, &self->now) < 0) {
        return ERROR;
    }
    self->busy = 1;
    while (begin < end && !due) {
        due = stream_step(self, PyUnicode_ReadChar(text, begin++));
    }
    self->busy = 0;
    if (due < 0) {
        self->broken = 1;
        return ERROR;
    }
    return begin;
}

/* Append what the end of the text accepts of a run to the hits. */
static int
run_ended(Stream *self, const Run *run)
{
    Automaton *automaton = &self->machine->automata[run->pattern];
    Cache *cache = &automaton->cache;
    Ints *accepts = &self->machine->bench.accepts;
    int32_t notes = cache->notes.count, at = NONE;
    accepts->count = 0;
    if (at_end(automaton, run->state, accepts) < 0
        || (at = accepts_kept(automaton, accepts)) == BROKEN) {
        return ERROR;
    }
    int result = at == NONE ? 0
                            : accepts_taken(cache, at, run->pattern,
                                            self->now.runs.registers + run->registers,
                                            self->now.offset, &self->hits);
    /* They have been taken, and no transition names them. */
    cache->notes.count = notes;
    return result;
}

/* --- what text waits for ---------------------------------------------------------------------- */

/* A joint state with where its oldest hold-back began; NULL if there is no room to note that. */
static const Joint *
joint_asked(Machine *machine, int32_t number)
{
    Joint *joint = &machine->joints.joint[number];
    if (joint->distance != NOT_YET) {
        return joint;
    }
    Ints *holds = &machine->joints.holds;
    const Run *run = machine->joints.run + joint->first;
    int32_t first = holds->count, distance = NONE;
    for (int32_t index = 0; index < joint->count; index++, run++) {
        if (!(machine->flags[run->pattern] & HOLDS)) {
            continue;
        }
        const Cache *cache = &machine->automata[run->pattern].cache;
        const Live *live = &cache->state[run->state].holds;
        distance = live->distance > distance ? live->distance : distance;
        for (int32_t which = 0; which < live->count; which++) {
            if (ints_push(holds, run->registers + cache->registers.at[live->first + which]) < 0) {
                PyErr_Clear();
                holds->count = first;
                return NULL;
            }
        }
    }
    joint->hold = first;
    joint->holds = holds->count - first;
    joint->distance = distance;
    return joint;
}

/* Where the oldest hold-back of what is awake began. */
static int64_t
runs_hold(const Stream *self)
{
    const Stand *now = &self->now;
    const uint8_t *flags = self->machine->flags;
    int64_t oldest = now->offset;
    const Joint *joint =
        now->joint == NONE || self->lost_count ? NULL : joint_asked(self->machine, now->joint);
    if (joint != NULL) {
        const int32_t *hold = self->machine->joints.holds.at + joint->hold;
        oldest = joint->distance > 0 ? oldest - joint->distance : oldest;
        for (int32_t index = 0; index < joint->holds; index++) {
            int64_t began = now->runs.registers[hold[index]];
            oldest = began < oldest ? began : oldest;
        }
        return oldest;
    }
    int32_t count;
    const Run *run = stand_runs(self->machine, now, &count);
    for (; count; run++, count--) {
        if (flags[run->pattern] & HOLDS && !(self->lost_count && is_lost(self, run->pattern))) {
            int64_t began = run_oldest(self, run, 1);
            oldest = began < oldest ? began : oldest;
        }
    }
    return oldest;
}

/* Where the oldest hold-back of all began, of a candidate or of an open match. */
static int64_t
oldest_hold(const Stream *self)
{
    const uint8_t *flags = self->machine->flags;
    int64_t oldest = runs_hold(self);
    for (int32_t index = 0; index < self->now.open.count; index++) {
        const Pile *pile = &self->now.open.at[index];
        if (!(flags[pile->pattern] & HOLDS)
            || (self->lost_count && is_lost(self, pile->pattern))) {
            continue;
        }
        const OpenMatch *open = pile->at + pile->count - pile_reach(pile);
        for (const OpenMatch *end = pile->at + pile->count; open < end; open++) {
            if (!open->written && open->hold < oldest) {
                oldest = open->hold;
            }
        }
    }
    return oldest;
}

#endif
