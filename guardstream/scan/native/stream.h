/* One stream's search: the patterns that are awake, and what they have accepted
   (`stepper.Stepper`). */

#ifndef GUARDSTREAM_STREAM_H
#define GUARDSTREAM_STREAM_H

#include "machine.h"

/* A match that has been accepted. */
typedef struct {
    int64_t start, end, hold;
    int32_t pattern;
    uint8_t late;    /* the automaton went on without what begins after it */
    uint8_t written; /* nothing waits for it: it has overflowed, or its group captured nothing */
} OpenMatch;

typedef struct {
    OpenMatch *at;
    int32_t count, room;
} OpenMatches;

/* A pattern's matches that are not settled, the oldest first; those before `head` have been taken.
   They may be as many as a text has characters, where an older candidate lives on. */
typedef struct {
    OpenMatch *at;
    int32_t pattern, head, count, room;
    int32_t waiting; /* for how many of them text may wait: those that are not written */
} Pile;

/* The piles of the patterns that have such matches are `count`; others keep their memory. */
typedef struct {
    Pile *at;
    int32_t count, room;
} Piles;

/* Where a stream stands. */
typedef struct {
    Runs runs; /* in a joint state only the registers: the rest stands there */
    Piles open;
    int64_t offset;
    int32_t last;
    int32_t joint; /* the joint state of its runs, or NONE if that is not known */
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
    Runs other; /* of a pattern that reads the text again, and before that of its lookbehinds */
    OpenMatches hits; /* what the last character has completed of eager patterns */
    Lost *lost;       /* the patterns whose candidates have overflowed and live on */
    int32_t lost_count, lost_room;
    Failure *failures; /* the patterns that came to have too many threads, and are disabled */
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

static int
matches_push(OpenMatches *all, const OpenMatch *match)
{
    if (grown((void **)&all->at, &all->room, (int64_t)all->count + 1, sizeof(OpenMatch)) < 0) {
        return ERROR;
    }
    all->at[all->count++] = *match;
    return 0;
}

/* --- open matches ------------------------------------------------------------------------- */

/* A pattern's pile, NULL if it has no open match. */
static Pile *
pile_of(const Piles *piles, int32_t pattern)
{
    for (int32_t index = 0; index < piles->count; index++) {
        if (piles->at[index].pattern == pattern) {
            return &piles->at[index];
        }
    }
    return NULL;
}

/* Make so many piles: all that there is room for are made. */
static int
piles_made(Piles *piles, int32_t count)
{
    int32_t made = piles->room;
    if (grown((void **)&piles->at, &piles->room, count, sizeof(Pile)) < 0) {
        return ERROR;
    }
    if (piles->room > made) {
        memset(piles->at + made, 0, (size_t)(piles->room - made) * sizeof(Pile));
    }
    return 0;
}

/* A pattern's pile, an empty one if it has no open match; NULL with an error set. */
static Pile *
pile_begun(Piles *piles, int32_t pattern)
{
    Pile *pile = pile_of(piles, pattern);
    if (pile == NULL && piles_made(piles, piles->count + 1) == 0) {
        pile = &piles->at[piles->count++];
        pile->pattern = pattern;
    }
    return pile;
}

/* Put a pile behind the others if it is empty; those after it stand one place before then. */
static void
pile_swept(Piles *piles, Pile *pile)
{
    if (pile->head < pile->count) {
        return;
    }
    Pile empty = *pile;
    empty.head = empty.count = empty.waiting = 0;
    const Pile *end = &piles->at[--piles->count];
    memmove(pile, pile + 1, (size_t)(end - pile) * sizeof(Pile));
    piles->at[piles->count] = empty;
}

/* Make room for one match more: in the place of those that were taken if they are more than half. */
static int
pile_grown(Pile *pile)
{
    if (pile->count == pile->room && pile->head > pile->count / 2) {
        pile->count -= pile->head;
        memmove(pile->at, pile->at + pile->head, (size_t)pile->count * sizeof(OpenMatch));
        pile->head = 0;
    }
    return grown((void **)&pile->at, &pile->room, (int64_t)pile->count + 1, sizeof(OpenMatch));
}

/* Put a match on its pattern's pile. */
static int
pile_push(Piles *piles, const OpenMatch *match)
{
    Pile *pile = pile_begun(piles, match->pattern);
    if (pile == NULL || pile_grown(pile) < 0) {
        if (pile != NULL) {
            pile_swept(piles, pile);
        }
        return ERROR;
    }
    pile->at[pile->count++] = *match;
    pile->waiting += !match->written;
    return 0;
}

/* How many of the last matches there are up to the oldest that text waits for: those that have
   overflowed are older, and are not come to. */
static int32_t
pile_reach(const Pile *pile)
{
    int32_t last = 0;
    for (int32_t waiting = pile->waiting; waiting; last++) {
        waiting -= !pile->at[pile->count - 1 - last].written;
    }
    return last;
}

/* Forget a pattern's open matches. */
static void
pile_remove(Piles *piles, int32_t pattern)
{
    Pile *pile = pile_of(piles, pattern);
    if (pile != NULL) {
        pile->head = pile->count;
        pile_swept(piles, pile);
    }
}

/* Let these be a pattern's open matches. */
static int
pile_put(Piles *piles, int32_t pattern, const OpenMatches *matches)
{
    if (!matches->count) {
        pile_remove(piles, pattern);
        return 0;
    }
    Pile *pile = pile_begun(piles, pattern);
    if (pile == NULL) {
        return ERROR;
    }
    if (grown((void **)&pile->at, &pile->room, matches->count, sizeof(OpenMatch)) < 0) {
        pile_swept(piles, pile);
        return ERROR;
    }
    pile->head = pile->count = pile->waiting = 0;
    for (int32_t index = 0; index < matches->count; index++) {
        pile->at[pile->count++] = matches->at[index];
        pile->waiting += !matches->at[index].written;
    }
    return 0;
}

/* Make room in piles for what others have. */
static int
piles_reserve(Piles *to, const Piles *from)
{
    if (piles_made(to, from->count) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < from->count; index++) {
        const Pile *pile = &from->at[index];
        if (grown((void **)&to->at[index].at, &to->at[index].room, pile->count - pile->head,
                  sizeof(OpenMatch)) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Let piles that have room for it be as others are. */
static void
piles_copy(Piles *to, const Piles *from)
{
    for (int32_t index = 0; index < to->room; index++) {
        Pile *pile = &to->at[index];
        pile->head = pile->count = pile->waiting = 0;
        if (index < from->count) {
            const Pile *its = &from->at[index];
            pile->pattern = its->pattern;
            pile->count = its->count - its->head;
            pile->waiting = its->waiting;
            memcpy(pile->at, its->at + its->head, (size_t)pile->count * sizeof(OpenMatch));
        }
    }
    to->count = from->count;
}

static void
piles_free(Piles *piles)
{
    for (int32_t index = 0; index < piles->room; index++) {
        PyMem_Free(piles->at[index].at);
    }
    PyMem_Free(piles->at);
}

/* --- runs --------------------------------------------------------------------------------- */

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

/* Put `count` registers as a list says what they become, or as they are where there is none: returns
   what comes after the list. */
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

/* What an edge makes of registers, as a list; NULL if they stay. */
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

/* After a flush: let every stream stand in the states as they are known now. */
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

/* After the classes were forgotten: let every stream stand after one as it is known now. */
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

/* --- what is accepted --------------------------------------------------------------------- */

static int
match_order(const OpenMatch *a, const OpenMatch *b)
{
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end < b->end ? -1 : 1;
    }
    return (a->hold > b->hold) - (a->hold < b->hold);
}

/* Put a match among those of its pattern, in their order, unless it stands there. */
static int
match_inserted(Piles *open, Pile *pile, const OpenMatch *new)
{
    int32_t after = 0; /* how many of them come after it */
    while (after < pile->count - pile->head
           && match_order(&pile->at[pile->count - 1 - after], new) > 0) {
        after++;
    }
    for (int32_t at = pile->count - 1 - after; at >= pile->head; at--) {
        const OpenMatch *known = &pile->at[at];
        if (match_order(known, new) != 0) {
            break;
        }
        if (known->late == new->late && !known->written) {
            return 0;
        }
    }
    if (pile_push(open, new) < 0) {
        return ERROR;
    }
    OpenMatch *place = &pile->at[pile->count - 1 - after];
    memmove(place + 1, place, (size_t)after * sizeof(OpenMatch));
    *place = *new;
    return 0;
}

/* File a match until it is settled. */
static int
stream_file(Stream *self, const OpenMatch *new)
{
    Piles *open = &self->now.open;
    Pile *pile = pile_of(open, new->pattern);
    if (self->machine->flags[new->pattern] & LOOSE) {
        return pile == NULL ? pile_push(open, new) : match_inserted(open, pile, new);
    }
    /* An accepting thread undoes what threads after it had accepted. Where it may be refused, it is
       held from where the first of them is, since they come back then, and so does what it cuts. */
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
        /* Where nothing is masked, text waits only if what comes after the match is read again. */
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

/* Disable a pattern that would come to have too many threads, whose oldest hold-back began at
   `hold`. */
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

/* Take what an edge accepts, and note it for the joint states if they are `worth` it. */
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

/* Let patterns follow edges, into `next`. What that does is noted for the joint states, if they are
   `worth` it. */
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

/* Find the edges of what is awake: how many there are, or what `machine_edge` returns below 0. */
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

/* Find the edges of what wakes, too, after the first `count`: how many there are then. */
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

/* The class of a character of which that alone is `class`, with what lookbehinds tell. */
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

/* Step all that is awake into `next`, and say what the character's class is then; nothing is changed
   where something is WANTED first. The edges are found before any is followed: so the processor can
   look for all of them at once. */
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

/* Do what the notes of a leap say: move registers, and take what is accepted. */
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

/* Go on to where the joint state is known to lead on a class: returns whether it is. */
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

/* Take the runs in `next`, to which a character has led that is alone of one class and was read as of
   another, and remember them as a joint state. */
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

/* What a character asks for that has been read, or ERROR. */
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

/* Read a character of which something may not be known yet: returns what it asks for, or ERROR. */
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

/* --- as an object --------------------------------------------------------------------------- */

/* A stream at the beginning of its text. */
static PyObject *
stream_made(PyTypeObject *type, Machine *machine)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Stream *self = (Stream *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->machine = (Machine *)Py_NewRef((PyObject *)machine);
    self->after = machine->streams;
    if (self->after != NULL) {
        self->after->before = self;
    }
    machine->streams = self;
    self->now.joint = self->mark.joint = NONE;
    return (PyObject *)self;
}

static PyObject *
stream_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *given;
    static char *names[] = {"machine", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &given)) {
        return NULL;
    }
    /* By what only a machine has: a subclass does not know the module that it comes from. */
    if (PyType_GetSlot(Py_TYPE(given), Py_tp_dealloc) != (void *)machine_dealloc) {
        PyErr_SetString(PyExc_TypeError, "a stream needs a machine");
        return NULL;
    }
    return stream_made(type, (Machine *)given);
}

/* fork() -> a stream that stands where this one does, and goes on by itself */
static PyObject *
stream_fork(Stream *self, PyObject *Py_UNUSED(ignored))
{
    if (is_busy(self)) {
        return NULL;
    }
    PyObject *made = stream_made(Py_TYPE((PyObject *)self), self->machine);
    Stream *fork = (Stream *)made;
    if (made == NULL) {
        return NULL;
    }
    if (stand_copy(self->machine, &fork->now, &self->now) < 0
        || grown((void **)&fork->lost, &fork->lost_room, self->lost_count, sizeof(Lost)) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    if (self->lost_count) {
        memcpy(fork->lost, self->lost, (size_t)self->lost_count * sizeof(Lost));
        fork->lost_count = self->lost_count;
    }
    if (self->off != NULL) {
        fork->off = PyMem_Calloc((size_t)self->machine->patterns, 1);
        if (fork->off == NULL) {
            Py_DECREF(made);
            return PyErr_NoMemory();
        }
        memcpy(fork->off, self->off, (size_t)self->machine->patterns);
    }
    return made;
}

/* is_alike(other) -> whether another stream of the machine stands as this one does, but for its
   offsets and for what is disabled here alone: each candidate began as far back, and no match is
   left to settle. */
static PyObject *
stream_is_alike(Stream *self, PyObject *given)
{
    if (Py_TYPE(given) != Py_TYPE((PyObject *)self)) {
        Py_RETURN_FALSE;
    }
    Stream *other = (Stream *)given;
    Machine *machine = self->machine;
    if (is_busy(self) || is_busy(other)) {
        return NULL;
    }
    if (machine != other->machine) {
        Py_RETURN_FALSE;
    }
    int32_t kind = machine_kind(machine, self->now.last);
    int32_t its_kind = kind < 0 ? kind : machine_kind(machine, other->now.last);
    if (its_kind < 0) {
        return NULL;
    }
    if (kind != its_kind || self->now.open.count || other->now.open.count || self->hits.count
        || other->hits.count || self->lost_count || other->lost_count) {
        Py_RETURN_FALSE;
    }
    int32_t count, others;
    const Run *run = stand_runs(machine, &self->now, &count);
    const Run *its = stand_runs(machine, &other->now, &others);
    const int64_t further = other->now.offset - self->now.offset;
    for (; others; its++, others--) {
        if (self->off && self->off[its->pattern]) {
            continue;
        }
        if (!count || run->pattern != its->pattern || run->state != its->state
            || run->count != its->count) {
            Py_RETURN_FALSE;
        }
        const int64_t *began = self->now.runs.registers + run->registers;
        const int64_t *its_began = other->now.runs.registers + its->registers;
        for (int32_t index = 0; index < run->count; index++) {
            if (began[index] + further != its_began[index]) {
                Py_RETURN_FALSE;
            }
        }
        run++;
        count--;
    }
    return PyBool_FromLong(!count);
}

static int
stream_traverse(Stream *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->machine);
    return 0;
}

static void
stream_dealloc(Stream *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    if (self->machine != NULL) {
        if (self->before != NULL) {
            self->before->after = self->after;
        }
        else {
            self->machine->streams = self->after;
        }
        if (self->after != NULL) {
            self->after->before = self->before;
        }
    }
    Py_CLEAR(self->machine);
    Runs *runs[] = {&self->now.runs, &self->mark.runs, &self->other};
    for (size_t which = 0; which < COUNT_OF(runs); which++) {
        PyMem_Free(runs[which]->runs);
        PyMem_Free(runs[which]->registers);
    }
    piles_free(&self->now.open);
    piles_free(&self->mark.open);
    PyMem_Free(self->hits.at);
    PyMem_Free(self->lost);
    PyMem_Free(self->failures);
    PyMem_Free(self->off);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* run(text, begin, end) -> the index after the last character read */
static PyObject *
stream_run(Stream *self, PyObject *args)
{
    PyObject *text;
    Py_ssize_t begin, end;
    if (!PyArg_ParseTuple(args, "Unn", &text, &begin, &end)
        || !is_part(begin, end, PyUnicode_GetLength(text))) {
        return NULL;
    }
    if (is_busy(self) || (begin = stream_read(self, text, begin, end)) < 0) {
        return NULL;
    }
    return PyLong_FromSsize_t(begin);
}

static PyObject *
stream_unread(Stream *self, PyObject *Py_UNUSED(ignored))
{
    if (is_busy(self)) {
        return NULL;
    }
    self->hits.count = self->due = 0;
    if (stand_copy(self->machine, &self->now, &self->mark) < 0) {
        self->broken = 1;
        return NULL;
    }
    while (self->failure_count > self->failure_mark) {
        self->off[self->failures[--self->failure_count].pattern] = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *
stream_held(Stream *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(oldest_hold(self));
}

static int
pattern_of(const Stream *self, PyObject *given, int32_t *pattern)
{
    long long number;
    if (int_of(given, 0, self->machine->patterns - 1, &number) < 0) {
        return ERROR;
    }
    *pattern = (int32_t)number;
    return 0;
}

/* oldest() -> where the oldest candidate began, the present if none lives; a match that is open is
   no older, since it waits for a candidate */
static PyObject *
stream_oldest(Stream *self, PyObject *Py_UNUSED(ignored))
{
    int64_t oldest = self->now.offset;
    int32_t count;
    const Run *run = stand_runs(self->machine, &self->now, &count);
    for (; count; run++, count--) {
        int64_t began = run_oldest(self, run, 0);
        oldest = began < oldest ? began : oldest;
    }
    return PyLong_FromLongLong(oldest);
}

static PyObject *
stream_began(Stream *self, PyObject *given)
{
    int32_t pattern;
    return pattern_of(self, given, &pattern) < 0
        ? NULL
        : PyLong_FromLongLong(pattern_oldest(self, pattern, 0));
}

static PyObject *
stream_waits(Stream *self, PyObject *given)
{
    int32_t pattern;
    return pattern_of(self, given, &pattern) < 0
        ? NULL
        : PyLong_FromLongLong(pattern_oldest(self, pattern, 1));
}

static int
append_pattern(PyObject *list, int32_t pattern)
{
    PyObject *number = PyLong_FromLong(pattern);
    int result = number == NULL ? ERROR : PySequence_Contains(list, number);
    if (result == 0) {
        result = PyList_Append(list, number);
    }
    Py_XDECREF(number);
    return result < 0 ? ERROR : 0;
}

/* patterns() -> those that are awake */
static PyObject *
stream_patterns(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = PyList_New(0);
    int32_t count;
    const Run *run = stand_runs(self->machine, &self->now, &count);
    for (; found && count; run++, count--) {
        if (run->pattern < self->machine->lookbehinds && append_pattern(found, run->pattern) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

/* waiting() -> those that have matches which are not settled */
static PyObject *
stream_waiting(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = PyList_New(0);
    for (int32_t index = 0; found && index < self->now.open.count; index++) {
        if (append_pattern(found, self->now.open.at[index].pattern) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

static PyObject *
match_tuple(const OpenMatch *match)
{
    return Py_BuildValue("(iLLLOO)", (int)match->pattern, (long long)match->start,
                         (long long)match->hold, (long long)match->end,
                         match->late ? Py_True : Py_False,
                         match->written ? Py_True : Py_False);
}

static int
append_open(PyObject *list, const OpenMatch *match)
{
    PyObject *made = match_tuple(match);
    int result = made == NULL ? ERROR : PyList_Append(list, made);
    Py_XDECREF(made);
    return result;
}

/* hits() -> what the last character has completed of eager patterns, once */
static PyObject *
stream_hits(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = is_busy(self) ? NULL : PyList_New(0);
    for (int32_t index = 0; found && index < self->hits.count; index++) {
        if (append_open(found, &self->hits.at[index]) < 0) {
            Py_CLEAR(found);
        }
    }
    self->hits.count = found ? 0 : self->hits.count;
    return found;
}

/* failures() -> the patterns that have come to have too many threads, and are disabled, each with
   where its oldest hold-back began; once */
static PyObject *
stream_failures(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = is_busy(self) ? NULL : PyList_New(0);
    for (int32_t index = 0; found && index < self->failure_count; index++) {
        const Failure *failure = &self->failures[index];
        PyObject *made = Py_BuildValue("(iL)", (int)failure->pattern, (long long)failure->hold);
        if (made == NULL || PyList_Append(found, made) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(made);
    }
    if (found) {
        self->failure_count = self->failure_mark = 0;
    }
    return found;
}

/* Append what of a plain pattern's match is masked, if that is anything: (label, start, end), and
   where the match began if that is asked for. */
static int
append_match(const Stream *self, PyObject *list, const OpenMatch *match, int began)
{
    int32_t tail = self->machine->tails.at[match->pattern];
    int64_t start = tail < 0 ? match->start : match->hold;
    int64_t end = tail < 0 ? match->end : match->end - tail;
    if (start >= end) {
        return 0;
    }
    PyObject *made =
        Py_BuildValue(began ? "(iLLL)" : "(iLL)", (int)self->machine->labels.at[match->pattern],
                      (long long)start, (long long)end, (long long)match->start);
    int result = made == NULL ? ERROR : PyList_Append(list, made);
    Py_XDECREF(made);
    return result;
}

/* Take the matches of a plain pattern that began before its oldest candidate. */
static int
pile_settle(Stream *self, Pile *pile, int64_t oldest, PyObject *found, int began)
{
    int result = 0;
    while (result == 0 && pile->head < pile->count && pile->at[pile->head].start < oldest) {
        const OpenMatch *match = &pile->at[pile->head++];
        pile->waiting -= !match->written;
        result = append_match(self, found, match, began);
    }
    return result;
}

/* Take the plain matches that are certain, and list the patterns that have others, if asked to. */
static int
stream_settle(Stream *self, PyObject *found, PyObject *others)
{
    Piles *open = &self->now.open;
    const uint8_t busy = self->busy;
    int result = 0;
    self->busy = 1; /* to make a list may run Python, which must not change the piles */
    for (int32_t index = 0; result == 0 && index < open->count;) {
        Pile *pile = &open->at[index];
        int32_t piles = open->count;
        int64_t oldest = pattern_oldest(self, pile->pattern, 0);
        if (pile->at[pile->head].start < oldest) {
            if (self->machine->flags[pile->pattern] & PLAIN) {
                result = pile_settle(self, pile, oldest, found, others != NULL);
                pile_swept(open, pile);
            }
            else if (others != NULL) {
                result = append_pattern(others, pile->pattern);
            }
        }
        index += open->count == piles; /* another one may stand there now */
    }
    self->busy = busy;
    if (result < 0) {
        self->broken = 1;
    }
    return result;
}

/* certain() -> (what is masked of matches that are settled, with where each match began, patterns of
   which Python must settle one) */
static PyObject *
stream_certain(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = PyList_New(0), *others = PyList_New(0);
    if (is_busy(self) || !found || !others || stream_settle(self, found, others) < 0) {
        Py_XDECREF(found);
        Py_XDECREF(others);
        return NULL;
    }
    return Py_BuildValue("(NN)", found, others);
}

/* List a pattern's open matches; if `waiting`, those that text waits for. */
static PyObject *
matches_listed(Stream *self, PyObject *given, int waiting)
{
    int32_t pattern;
    PyObject *found = pattern_of(self, given, &pattern) < 0 ? NULL : PyList_New(0);
    const Pile *pile = found ? pile_of(&self->now.open, pattern) : NULL;
    int32_t last = pile == NULL ? 0 : waiting ? pile_reach(pile) : pile->count - pile->head;
    for (; found && last; last--) {
        /* To make a list may run Python, which may change the pile. */
        pile = pile_of(&self->now.open, pattern);
        if (pile == NULL || last > pile->count - pile->head) {
            break;
        }
        const OpenMatch *match = &pile->at[pile->count - last];
        if (!(waiting && match->written) && append_open(found, match) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

/* open_matches(pattern) -> its matches that are not settled */
static PyObject *
stream_open_matches(Stream *self, PyObject *given)
{
    return matches_listed(self, given, 0);
}

/* unwritten(pattern) -> those of them that text waits for */
static PyObject *
stream_unwritten(Stream *self, PyObject *given)
{
    return matches_listed(self, given, 1);
}

/* take(pattern, last) -> its first open match, which is no longer kept, or None: if that is older than
   all candidates, or if nothing more is read */
static PyObject *
stream_take(Stream *self, PyObject *args)
{
    int pattern, last;
    if (!PyArg_ParseTuple(args, "ip", &pattern, &last) || is_busy(self)
        || !is_within(pattern, 0, self->machine->patterns)) {
        return NULL;
    }
    Pile *pile = pile_of(&self->now.open, pattern);
    if (pile == NULL
        || !(last || pile->at[pile->head].start < pattern_oldest(self, pattern, 0))) {
        Py_RETURN_NONE;
    }
    PyObject *taken = match_tuple(&pile->at[pile->head]);
    if (taken && (pile = pile_of(&self->now.open, pattern)) != NULL) {
        pile->waiting -= !pile->at[pile->head++].written;
        pile_swept(&self->now.open, pile);
    }
    return taken;
}

/* blurred(pattern) -> whether a match's hold-back may have begun before its group */
static PyObject *
stream_blurred(Stream *self, PyObject *given)
{
    int32_t pattern;
    return pattern_of(self, given, &pattern) < 0
        ? NULL
        : PyBool_FromLong(self->machine->automata[pattern].blurred);
}

/* Append a pattern's match as `match_tuple` makes it. */
static int
match_given(PyObject *given, int32_t pattern, OpenMatches *into)
{
    long long start, end, hold;
    int own, late, written;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a match must be a tuple");
        return ERROR;
    }
    if (!PyArg_ParseTuple(given, "iLLLpp", &own, &start, &hold, &end, &late, &written)
        || !is_offset(start) || !is_offset(hold) || !is_offset(end)) {
        return ERROR;
    }
    OpenMatch match = {start, end, hold, pattern, (uint8_t)late, (uint8_t)written};
    return matches_push(into, &match);
}

/* Take the arguments (pattern, matches). */
static int
matches_given(const Stream *self, PyObject *args, int *pattern, OpenMatches *given)
{
    PyObject *list;
    if (!PyArg_ParseTuple(args, "iO!", pattern, &PyList_Type, &list)
        || !is_within(*pattern, 0, self->machine->patterns)) {
        return ERROR;
    }
    PyObject *matches = PyList_AsTuple(list);
    int result = matches == NULL ? ERROR : 0;
    for (Py_ssize_t index = 0; result == 0 && index < PyTuple_Size(matches); index++) {
        result = match_given(PyTuple_GetItem(matches, index), *pattern, given);
    }
    Py_XDECREF(matches);
    return result == 0 && is_busy(self) ? ERROR : result;
}

/* keep(pattern, matches): these are its matches that are not settled */
static PyObject *
stream_keep(Stream *self, PyObject *args)
{
    OpenMatches given = {0};
    int pattern;
    int result = matches_given(self, args, &pattern, &given);
    if (result == 0) {
        result = pile_put(&self->now.open, pattern, &given);
    }
    PyMem_Free(given.at);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

/* write(pattern, matches): text waits no more for these of its matches */
static PyObject *
stream_write(Stream *self, PyObject *args)
{
    OpenMatches given = {0};
    int pattern;
    int result = matches_given(self, args, &pattern, &given);
    Pile *pile = result == 0 ? pile_of(&self->now.open, pattern) : NULL;
    for (int32_t last = pile ? pile_reach(pile) : 0; last; last--) {
        OpenMatch *match = &pile->at[pile->count - last];
        for (int32_t index = 0; !match->written && index < given.count; index++) {
            match->written = match_order(match, &given.at[index]) == 0;
            pile->waiting -= match->written;
        }
    }
    PyMem_Free(given.at);
    return result < 0 ? NULL : Py_NewRef(Py_None);
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

/* ends(): file what the end of the text accepts */
static PyObject *
stream_ends(Stream *self, PyObject *Py_UNUSED(ignored))
{
    if (is_busy(self)) {
        return NULL;
    }
    self->hits.count = 0;
    int32_t count;
    const Run *run = stand_runs(self->machine, &self->now, &count);
    int result = 0;
    for (; result == 0 && count; run++, count--) {
        result = run_ended(self, run);
    }
    if (result < 0 || hits_filed(self) < 0) {
        self->broken = 1;
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stream_lose(Stream *self, PyObject *args)
{
    int pattern;
    long long hold;
    if (!PyArg_ParseTuple(args, "iL", &pattern, &hold) || is_busy(self)
        || !is_within(pattern, 0, self->machine->patterns) || !is_offset(hold)) {
        return NULL;
    }
    for (int32_t index = 0; index < self->lost_count; index++) {
        if (self->lost[index].pattern == pattern) {
            self->lost[index].hold = hold;
            Py_RETURN_NONE;
        }
    }
    if (grown((void **)&self->lost, &self->lost_room, (int64_t)self->lost_count + 1,
              sizeof(Lost)) < 0) {
        return NULL;
    }
    Lost lost = {pattern, hold};
    self->lost[self->lost_count++] = lost;
    Py_RETURN_NONE;
}

static void
stream_unlose(Stream *self, int32_t pattern)
{
    int32_t kept = 0;
    for (int32_t index = 0; index < self->lost_count; index++) {
        if (self->lost[index].pattern != pattern) {
            self->lost[kept++] = self->lost[index];
        }
    }
    self->lost_count = kept;
}

/* lost() -> the patterns whose candidates have overflowed and live on; the others are forgotten */
static PyObject *
stream_lost(Stream *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = is_busy(self) ? NULL : PyList_New(0);
    for (int32_t index = self->lost_count - 1; found && index >= 0; index--) {
        int32_t pattern = self->lost[index].pattern;
        if (!is_lost(self, pattern)) {
            stream_unlose(self, pattern);
        }
        else if (append_pattern(found, pattern) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

static PyObject *
stream_disable(Stream *self, PyObject *given)
{
    int32_t pattern;
    if (is_busy(self) || pattern_of(self, given, &pattern) < 0) {
        return NULL;
    }
    if (pattern_disable(self, pattern) < 0) {
        return NULL;
    }
    stream_unlose(self, pattern);
    Py_RETURN_NONE;
}

/* --- reading again -------------------------------------------------------------------------- */

/* File all hits, those of eager patterns, too. */
static int
hits_all_filed(Stream *self)
{
    for (int32_t index = 0; index < self->hits.count; index++) {
        if (stream_file(self, &self->hits.at[index]) < 0) {
            return ERROR;
        }
    }
    self->hits.count = 0;
    return 0;
}

/* Append to `next` the runs in `other` that are lookbehinds', as a class leads them on; returns the
   class with what they tell. They have no candidates, and so no registers: all in `other` are those
   of the last run. */
static int32_t
again_told(Stream *self, int32_t class)
{
    Machine *machine = self->machine;
    machine->told.count = 0;
    for (int32_t index = 0; index < self->other.count - 1; index++) {
        const Run run = self->other.runs[index];
        const Cache *cache = &machine->automata[run.pattern].cache;
        int32_t edge = machine_edge(machine, run.pattern, run.state, class);
        if (edge < 0) {
            return edge;
        }
        if (machine_tells(machine, run.pattern, cache->edge[edge].target) < 0
            || runs_follow(&machine->next, run.pattern, cache, &cache->edge[edge], NULL, 0) < 0) {
            return ERROR;
        }
    }
    return machine_told(machine, class);
}

/* Let the runs in `other` go on with a class: the last is that of a pattern, those before it of its
   lookbehinds. */
static int
again_step(Stream *self, int32_t class, int mode, int64_t offset)
{
    Machine *machine = self->machine;
    machine->next.count = machine->next.register_count = 0;
    const Run run = self->other.runs[self->other.count - 1];
    Automaton *automaton = &machine->automata[run.pattern];
    if ((class = again_told(self, class)) < 0) {
        return class;
    }
    int32_t local = machine_local(machine, run.pattern, class);
    int32_t number = local;
    if (local >= 0 && mode == (BEGINS | OPENS)) {
        number = machine_edge(machine, run.pattern, run.state, class);
    }
    else if (local >= 0) {
        machine->wanted = run.pattern;
        number = edge_on(automaton, run.state, local, mode);
        machine_count(machine, automaton);
    }
    if (number < 0) {
        return number;
    }
    const Edge edge = automaton->cache.edge[number];
    const int64_t *registers = self->other.registers;
    if (edge.accepts != NONE && mode & BEGINS
        && accepts_taken(&automaton->cache, edge.accepts, run.pattern, registers, offset,
                         &self->hits) < 0) {
        return ERROR;
    }
    if (runs_follow(&machine->next, run.pattern, &automaton->cache, &edge, registers,
                    offset) < 0) {
        return ERROR;
    }
    Runs before = self->other;
    self->other = machine->next;
    machine->next = before;
    machine->next.count = 0;
    return 0;
}

/* The same, with what is WANTED fetched, and what is accepted filed: 0, ERROR or TOO_MANY. */
static int
again(Stream *self, Py_UCS4 code, int mode, int64_t offset)
{
    for (;;) {
        if (self->machine->full && machine_bound(self->machine) < 0) {
            return ERROR;
        }
        int32_t class = machine_class(self->machine, code);
        if (class < 0) {
            return ERROR;
        }
        self->hits.count = 0; /* Python has taken those of eager patterns before */
        int result = again_step(self, class, mode, offset);
        if (result == 0) {
            break;
        }
        if (result != WANTED || machine_fetch(self->machine) < 0) {
            return result == TOO_MANY ? TOO_MANY : ERROR;
        }
    }
    return hits_all_filed(self);
}

/* The class of the character before `text[at]`. */
static int32_t
class_before(Machine *machine, PyObject *text, Py_ssize_t at)
{
    return at > 0 ? machine_class(machine, PyUnicode_ReadChar(text, at - 1)) : BEGIN;
}

/* Append to the runs in `other` that of a pattern, or lookbehind, without candidates before
   `text[at]`. */
static int
other_idle(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t at)
{
    Machine *machine = self->machine;
    int32_t state;
    for (;;) {
        int32_t class = class_before(machine, text, at);
        state = class < 0 ? ERROR : machine_idle(machine, pattern, class);
        if (state >= 0) {
            break;
        }
        if (state != WANTED || machine_fetch(machine) < 0) {
            return ERROR;
        }
    }
    Edge edge = {state, NONE, NONE, NONE};
    return runs_follow(&self->other, pattern, &machine->automata[pattern].cache, &edge, NULL, 0);
}

/* Put into `other` the runs of a pattern's lookbehinds, and its own, before `text[at]`. */
static int
other_begun(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t at)
{
    Machine *machine = self->machine;
    const Automaton *automaton = &machine->automata[pattern];
    self->other.count = self->other.register_count = 0;
    if (!automaton->loaded && machine_load(machine, pattern) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < machine->tells.count; index++) {
        for (int32_t own = 0; own < automaton->bits.count; own++) {
            if (automaton->bits.at[own] == machine->tells.at[index]
                && other_idle(self, machine->lookbehinds + index, text, at) < 0) {
                return ERROR;
            }
        }
    }
    return other_idle(self, pattern, text, at);
}

/* Let a pattern begin at `text[at]`, having looked at what stands from `begin` on, and before:
   0, ERROR or TOO_MANY. */
static int
restarted(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t begin, Py_ssize_t at,
          int64_t base, int64_t until)
{
    if (other_begun(self, pattern, text, begin) < 0) {
        return ERROR;
    }
    Py_ssize_t length = PyUnicode_GetLength(text);
    for (Py_ssize_t index = begin; index < length; index++) {
        int mode = (index >= at ? BEGINS : 0) | (base + index > until ? OPENS : 0);
        int result = again(self, PyUnicode_ReadChar(text, index), mode, base + index);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* Put the run of a pattern in `other` among those that are awake. */
static int
run_put(Stream *self, int32_t pattern)
{
    const Run run = self->other.runs[self->other.count - 1];
    const Cache *cache = &self->machine->automata[pattern].cache;
    Edge edge = {run.state, NONE, NONE, NONE};
    self->other.count = 0;
    if (stand_leave(self->machine, &self->now) < 0) {
        return ERROR;
    }
    runs_remove(&self->now.runs, pattern);
    return cache->state[run.state].idle
        ? 0
        : runs_follow(&self->now.runs, pattern, cache, &edge, self->other.registers, 0);
}

/* restart(pattern, text, begin, at, base, ended, until): let the search for a pattern go on as if it
   had begun at `text[at]`, up to the text's end, which is here; `base` is the text's offset.
   Up to the offset `until` the masked group does not open. */
static PyObject *
stream_restart(Stream *self, PyObject *args)
{
    PyObject *text;
    int pattern, ended;
    Py_ssize_t begin, at;
    long long base, until;
    if (!PyArg_ParseTuple(args, "iUnnLpL", &pattern, &text, &begin, &at, &base, &ended, &until)
        || is_busy(self) || !is_within(pattern, 0, self->machine->patterns)
        || !is_part(begin, at, PyUnicode_GetLength(text)) || !is_offset(base)
        || !is_offset(until)) {
        return NULL;
    }
    pile_remove(&self->now.open, pattern);
    self->busy = 1;
    int result = restarted(self, pattern, text, begin, at, base, until);
    self->busy = 0;
    if (result == TOO_MANY) {
        self->other.count = self->hits.count = 0;
        result = pattern_fail(self, pattern, base + at);
    }
    else if (result == 0) {
        result = run_put(self, pattern);
    }
    const Run *run = run_of(self, pattern);
    if (result == 0 && ended && run != NULL) {
        result = run_ended(self, run) < 0 ? ERROR : hits_all_filed(self);
    }
    if (result < 0) {
        self->broken = 1;
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Append to `into` what is left of a run without the threads whose group opened at `hold` or
   before. */
static int
run_without(Stream *self, const Run *run, const int64_t *registers, int64_t offset, int64_t hold,
            Runs *into)
{
    Automaton *automaton = &self->machine->automata[run->pattern];
    const Cache *cache = &automaton->cache;
    const State *state = &cache->state[run->state];
    Ints key = {0};
    int32_t result = ints_append(&key, numbers_key(&cache->states, run->state),
                                 context_ints(automaton));
    for (int32_t index = 0; result >= 0 && index < state->count; index++) {
        const Thread *thread = &threads_of(cache, state)[index];
        const Place *place = &automaton->place[cache->item[thread->item].place];
        int64_t opened = thread->hold == NOWHERE ? offset + 1
            : thread->hold >= 0                  ? registers[thread->hold]
                                                 : offset - place->opened;
        if (opened > hold) {
            result = ints_append(&key, (const int32_t *)thread, THREAD_INTS);
        }
    }
    result = result < 0 ? ERROR : state_of(automaton, &key);
    ints_free(&key);
    Edge edge = {result, NONE, NONE, NONE};
    return result < 0 ? ERROR
                      : runs_follow(into, run->pattern, &automaton->cache, &edge, registers, 0);
}

/* drop(pattern, hold): forget the threads whose group opened at `hold` or before */
static PyObject *
stream_drop(Stream *self, PyObject *args)
{
    int pattern;
    long long hold;
    if (!PyArg_ParseTuple(args, "iL", &pattern, &hold) || is_busy(self)
        || !is_within(pattern, 0, self->machine->patterns) || !is_offset(hold)) {
        return NULL;
    }
    const Run *run = run_of(self, pattern);
    if (run == NULL) {
        Py_RETURN_NONE;
    }
    self->other.count = self->other.register_count = 0;
    if (run_without(self, run, self->now.runs.registers + run->registers, self->now.offset, hold,
                    &self->other) < 0
        || run_put(self, pattern) < 0) {
        self->broken = 1;
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stream_offset(Stream *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->now.offset);
}

static PyObject *
stream_due(Stream *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->due);
}

static PyGetSetDef stream_members[] = {
    {"due", (getter)stream_due, NULL, "Whether the last character needs attention.", NULL},
    {"offset", (getter)stream_offset, NULL, "How many characters have been read.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef stream_methods[] = {
    {"run", (PyCFunction)stream_run, METH_VARARGS, "Read on to what needs attention."},
    {"unread", (PyCFunction)stream_unread, METH_NOARGS, "Go back to where that began."},
    {"fork", (PyCFunction)stream_fork, METH_NOARGS, "A stream that goes on from here by itself."},
    {"is_alike", (PyCFunction)stream_is_alike, METH_O, "Whether another stands as this does."},
    {"held", (PyCFunction)stream_held, METH_NOARGS, "Where the oldest hold-back began."},
    {"oldest", (PyCFunction)stream_oldest, METH_NOARGS, "Where the oldest candidate began."},
    {"began", (PyCFunction)stream_began, METH_O, "Where a pattern's oldest candidate began."},
    {"waits", (PyCFunction)stream_waits, METH_O, "Where a pattern's oldest hold-back began."},
    {"patterns", (PyCFunction)stream_patterns, METH_NOARGS, "The patterns that are awake."},
    {"waiting", (PyCFunction)stream_waiting, METH_NOARGS, "The patterns that have matched."},
    {"hits", (PyCFunction)stream_hits, METH_NOARGS, "What eager patterns have matched."},
    {"failures", (PyCFunction)stream_failures, METH_NOARGS, "What has come to be too large."},
    {"certain", (PyCFunction)stream_certain, METH_NOARGS, "What is settled, or may be."},
    {"open_matches", (PyCFunction)stream_open_matches, METH_O, "A pattern's open matches."},
    {"unwritten", (PyCFunction)stream_unwritten, METH_O, "Those of them that text waits for."},
    {"write", (PyCFunction)stream_write, METH_VARARGS, "Let text wait for some no more."},
    {"take", (PyCFunction)stream_take, METH_VARARGS, "Take a pattern's first open match."},
    {"blurred", (PyCFunction)stream_blurred, METH_O, "Whether hold-backs have been joined."},
    {"keep", (PyCFunction)stream_keep, METH_VARARGS, "Set a pattern's open matches."},
    {"ends", (PyCFunction)stream_ends, METH_NOARGS, "File what the text's end accepts."},
    {"lose", (PyCFunction)stream_lose, METH_VARARGS, "A pattern's candidates have overflowed."},
    {"lost", (PyCFunction)stream_lost, METH_NOARGS, "The patterns of those that live on."},
    {"disable", (PyCFunction)stream_disable, METH_O, "Never wake the pattern again."},
    {"restart", (PyCFunction)stream_restart, METH_VARARGS, "Read the end of the text again."},
    {"drop", (PyCFunction)stream_drop, METH_VARARGS, "Forget some of a pattern's threads."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "One stream's patterns that are awake, and their open matches."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_traverse, stream_traverse},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_members},
    {0, NULL},
};

static PyType_Spec stream_spec = {
    "guardstream.scan._native.Stream",
    sizeof(Stream),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    stream_slots,
};

#endif
