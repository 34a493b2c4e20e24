/* States and transitions of one pattern, built lazily. `dfa.py`, `registers.py` and `context.py`
   explain them. The names in Python and here:

       Contexts.after                      sides_of, with_behind: each state has a context of its own
       State, Transition                   State, Edge
       _Step                               Bench: advanced, begun, added, hold_for, held_by_both
       renumbered                          all_used, numbered, keyed
       Automaton._build, State.__missing__ transition, edge_on, edge_of
       Automaton.at_end                    at_end

   As in `closure.h`, a function may return WANTED. If a state would have too many threads, it
   returns TOO_MANY: the pattern fails in this stream. */

#ifndef GUARDSTREAM_DFA_H
#define GUARDSTREAM_DFA_H

#include "closure.h"

/* --- states ------------------------------------------------------------------------------- */

/* How many ints of a state's key come before its threads: the bits of the last character, and a set
   of items for each lookbehind. */
static int32_t
context_ints(const Automaton *self)
{
    return 1 + self->behinds.count / 2;
}

static const Thread *
threads_of(const Cache *cache, const State *state)
{
    return (const Thread *)(cache->states.pool.at + state->first);
}

/* Where candidates began, given the register and fixed distance of each. */
static int
live_of(Automaton *self, const Thread *threads, int32_t count, int holding, Live *live)
{
    Cache *cache = &self->cache;
    live->distance = -1;
    live->first = cache->registers.count;
    for (int32_t index = 0; index < count; index++) {
        const Place *place = &self->place[cache->item[threads[index].item].place];
        int32_t number = holding ? threads[index].hold : threads[index].start;
        int32_t distance = holding ? place->opened : place->distance;
        if (number == FIXED) {
            live->distance = distance > live->distance ? distance : live->distance;
        }
        else if (number >= 0 && ints_push(&cache->registers, number) < 0) {
            return ERROR;
        }
    }
    live->count = cache->registers.count - live->first;
    if (live->count) {
        live->count = ints_unique(cache->registers.at + live->first, live->count);
    }
    cache->registers.count = live->first + live->count;
    return 0;
}

/* The state of a key: its context, and its threads. */
static int32_t
state_of(Automaton *self, const Ints *key)
{
    Cache *cache = &self->cache;
    int32_t number = numbers_find(&cache->states, key->at, key->count);
    if (number != NONE) {
        return number;
    }
    int32_t before = context_ints(self);
    const Thread *threads = (const Thread *)(key->at + before);
    State state = {0};
    state.left = key->at[0];
    state.asks = NONE;
    state.first = cache->states.pool.count + before;
    state.count = (key->count - before) / THREAD_INTS;
    int32_t looking = both(self, state.left, self->looks);
    if (looking < 0) {
        return ERROR;
    }
    state.idle = !state.count && looking == NOTHING;
    state.told = looking == NOTHING ? NOTHING : both(self, looking, self->tells);
    if (state.told < 0) {
        return ERROR;
    }
    for (int32_t index = 1; index < before; index++) {
        state.idle = state.idle && key->at[index] == NOTHING;
    }
    for (int32_t index = before; index < key->count; index++) {
        int32_t needed = (index - before) % THREAD_INTS ? key->at[index] + 1 : 0;
        state.registers = needed > state.registers ? needed : state.registers;
    }
    if (live_of(self, threads, state.count, 0, &state.starts) < 0) {
        return ERROR;
    }
    state.holds = state.starts;
    if ((self->group && live_of(self, threads, state.count, 1, &state.holds) < 0)
        || grown((void **)&cache->state, &cache->state_room, (int64_t)cache->states.count + 1,
                 sizeof(State)) < 0
        || grown((void **)&cache->row, &cache->row_room, (int64_t)cache->states.count + 1,
                 sizeof(Row)) < 0
        || (number = numbers_of(&cache->states, key->at, key->count)) < 0) {
        return ERROR;
    }
    cache->state[number] = state;
    cache->row[number] = (Row){0, 0};
    return number;
}

/* The bits, and that of a lookbehind if it matches after a character with the bits `left`, or in one
   of the items of a set. */
static int32_t
with_behind(Automaton *self, int32_t bits, int32_t left, int32_t index, int32_t set)
{
    const Cache *cache = &self->cache;
    int32_t seen = either(self, left, bits);
    int32_t root = seen < 0 ? seen : item_at(self, self->behinds.at[2 * index], seen, NOTHING);
    if (root < 0) {
        return root;
    }
    int matches = cache->item[root].accepts;
    const int32_t *items = numbers_key(&cache->item_sets, set);
    int32_t length = numbers_length(&cache->item_sets, set);
    for (int32_t member = 0; !matches && member < length; member++) {
        matches = cache->item[items[member]].accepts;
    }
    return matches ? either(self, bits, self->behinds.at[2 * index + 1]) : bits;
}

/* What a lookbehind's own items lead to: a set, including those that accept. */
static int32_t
side_of(Automaton *self, int32_t state, int32_t index, int32_t signature)
{
    Cache *cache = &self->cache;
    Ints items = {0}, reached = {0};
    int32_t side = numbers_key(&cache->states, state)[1 + index];
    int32_t root = item_at(self, self->behinds.at[2 * index], cache->state[state].left, NOTHING);
    int32_t result = root < 0 ? root : ints_push(&items, root);
    if (result >= 0) {
        result = ints_append(&items, numbers_key(&cache->item_sets, side),
                             numbers_length(&cache->item_sets, side));
    }
    for (int32_t member = 0; result >= 0 && member < items.count; member++) {
        result = steps_of(self, items.at[member], signature);
        const Steps steps = result < 0 ? (Steps){0} : cache->step[result];
        for (int32_t way = steps.first; result >= 0 && way < steps.first + steps.count; way++) {
            result = ints_push(&reached, cache->way[way].item);
        }
    }
    if (result >= 0) {
        result = set_of(&cache->item_sets, &reached);
    }
    ints_free(&items);
    ints_free(&reached);
    return result;
}

/* Put into `sides` what the lookbehinds' own items lead to; returns the bits of those that match.
   `left` are the bits of the signature that are asked of the last character. */
static int32_t
sides_of(Automaton *self, int32_t state, int32_t signature, int32_t left, Ints *sides)
{
    int32_t bits = NOTHING;
    for (int32_t index = 0; bits >= 0 && index < self->behinds.count / 2; index++) {
        /* A lookbehind within another comes before it, and its bit is needed here. */
        int32_t below = either(self, signature, bits);
        int32_t set = below < 0 ? below : side_of(self, state, index, below);
        if (set < 0 || ints_push(sides, set) < 0) {
            return set < 0 ? set : ERROR;
        }
        bits = with_behind(self, bits, left, index, set);
    }
    return bits;
}

/* Of each side leave only the items that can go on. */
static int
sides_alive(Automaton *self, Ints *sides)
{
    Cache *cache = &self->cache;
    for (int32_t index = 0; index < sides->count; index++) {
        Ints alive = {0};
        int32_t length = numbers_length(&cache->item_sets, sides->at[index]), set = 0;
        for (int32_t member = 0; set >= 0 && member < length; member++) {
            int32_t item = numbers_key(&cache->item_sets, sides->at[index])[member];
            if (cache->item[item].alive) {
                set = ints_push(&alive, item);
            }
        }
        if (set >= 0) {
            set = set_of(&cache->item_sets, &alive);
        }
        ints_free(&alive);
        if (set < 0) {
            return ERROR;
        }
        sides->at[index] = set;
    }
    return 0;
}

/* The state without candidates after a character of this signature. */
static int32_t
idle_state(Automaton *self, int32_t signature)
{
    int32_t known = ints_get(&self->cache.idle, signature);
    if (known != NONE) {
        return known;
    }
    int32_t left = both(self, signature, self->last), count = self->behinds.count / 2;
    Ints key = {0};
    int32_t result = left < 0 ? left : ints_push(&key, left);
    for (int32_t index = 0; result >= 0 && index < count; index++) {
        result = ints_push(&key, NOTHING);
    }
    int32_t bits = result < 0 ? result : NOTHING;
    for (int32_t index = 0; bits >= 0 && index < count; index++) {
        bits = with_behind(self, bits, left, index, NOTHING);
    }
    if (result >= 0) {
        result = bits < 0 ? bits : (key.at[0] = either(self, left, bits));
    }
    if (result >= 0) {
        result = state_of(self, &key);
    }
    ints_free(&key);
    if (result >= 0 && ints_set(&self->cache.idle, signature, result) < 0) {
        return ERROR;
    }
    return result;
}

/* --- transitions -------------------------------------------------------------------------- */

static int32_t
single(Automaton *self, int32_t source)
{
    return numbers_of(&self->cache.leasts, &source, 1);
}

static int32_t
start_of(const Automaton *self, const Thread *thread)
{
    return thread->start >= 0
        ? thread->start
        : BACK(self->place[self->cache.item[thread->item].place].distance);
}

/* Where the thread's group opened: the number of a list of sources, or NONE. */
static int32_t
hold_of(Automaton *self, const Thread *thread, int32_t *hold)
{
    *hold = NONE;
    if (thread->hold == NOWHERE) {
        return 0;
    }
    int32_t opened = self->place[self->cache.item[thread->item].place].opened;
    *hold = single(self, thread->hold >= 0 ? thread->hold : BACK(opened));
    return *hold < 0 ? ERROR : 0;
}

static Accept *
accept_at(const Ints *accepts, int32_t index)
{
    return (Accept *)(accepts->at + index);
}

/* Note an accept. A group that did not open is empty: it counts as opened at the match's end, or at
   the transition's character if the match may be refused (`Automaton.opened`). */
static int
noted(Automaton *self, Ints *accepts, int32_t start, int32_t hold, int32_t end, int32_t late)
{
    if (!self->group || hold == NONE) {
        int empty = self->group && self->cuts && !self->least_hold;
        self->blurred |= self->group && self->least_hold;
        if ((hold = single(self, !self->group ? start : empty ? end : HERE)) < 0) {
            return ERROR;
        }
    }
    int32_t accept[ACCEPT_INTS] = {start, hold, end, late};
    return ints_append(accepts, accept, ACCEPT_INTS) < 0 ? ERROR : 0;
}

/* Note the accept of a thread whose match is complete before the transition's character. */
static int
ended(Automaton *self, const Thread *thread, Ints *accepts)
{
    int32_t start = start_of(self, thread), hold;
    if (hold_of(self, thread, &hold) < 0) {
        return ERROR;
    }
    int32_t end = thread->end == NOWHERE ? HERE : thread->end;
    return noted(self, accepts, start, hold, end, thread->end != NOWHERE);
}

/* A candidate's own hold-back, or one of the others, whichever is the least. */
static int32_t
leasts_joined(Automaton *self, int32_t left, const int32_t *more, int32_t count)
{
    Ints all = {0};
    int32_t result = ints_append(&all, numbers_key(&self->cache.leasts, left),
                                 numbers_length(&self->cache.leasts, left));
    if (result >= 0 && (result = ints_append(&all, more, count)) >= 0) {
        result = set_of(&self->cache.leasts, &all);
    }
    if (result >= 0 && result != left) {
        self->blurred = 1;
    }
    ints_free(&all);
    return result;
}

static int32_t
leasts_both(Automaton *self, int32_t left, int32_t right)
{
    return leasts_joined(self, left, numbers_key(&self->cache.leasts, right),
                         numbers_length(&self->cache.leasts, right));
}

/* Whether a thread has a follower on a character, or has matched: also ERROR or WANTED. */
static int
survives(Automaton *self, const Thread *thread, int32_t signature)
{
    int32_t number = steps_of(self, thread->item, signature);
    if (number < 0) {
        return number;
    }
    const Steps steps = self->cache.step[number];
    int lives = steps.matched;
    for (int32_t index = 0; index < steps.count && !lives; index++) {
        const Item *item = &self->cache.item[self->cache.way[steps.first + index].item];
        lives = item->alive || item->accepts;
    }
    return lives;
}

/* Hold the last accept for the threads that it cuts, too: they come back if it is refused. Threads
   that this character ends do not count. */
static int
hold_for(Automaton *self, Ints *accepts, const Thread *cut, int32_t count, int32_t signature)
{
    if (!self->least_hold) {
        return 0;
    }
    Ints *sources = &self->bench->cut;
    sources->count = 0;
    for (int32_t index = 0; index < count; index++) {
        int32_t hold, lives = survives(self, &cut[index], signature);
        if (lives <= 0) {
            if (lives < 0) {
                return lives;
            }
            continue;
        }
        if (hold_of(self, &cut[index], &hold) < 0
            || (hold != NONE && ints_push(sources, *numbers_key(&self->cache.leasts, hold)) < 0)) {
            return ERROR;
        }
    }
    Accept *last = accept_at(accepts, accepts->count - ACCEPT_INTS);
    int32_t least = leasts_joined(self, last->hold, sources->at, sources->count);
    if (least < 0) {
        return ERROR;
    }
    last->hold = least;
    return 0;
}

/* Whether an item is redundant: those before it have all its continuations. */
static int
is_needless(const Automaton *self, const Item *item)
{
    const Bench *bench = self->bench;
    for (int32_t index = 0; index < item->ahead_count; index++) {
        int32_t ahead = self->cache.ahead_lists.at[item->ahead + index];
        if (ints_get(&bench->ahead, ahead) != bench->clock) {
            return 0;
        }
    }
    return 1;
}

/* Where two candidates meet in an item, hold the one that stays, and its accept, from the earlier of
   the two hold-backs. */
static int
held_by_both(Automaton *self, int32_t item, int32_t hold)
{
    Bench *bench = self->bench;
    int32_t at = bench->seen_at.at[item];
    if (at != NONE) {
        int32_t *known = &bench->thread[at].hold;
        int32_t least = *known == NONE ? hold : leasts_both(self, *known, hold);
        self->blurred |= *known == NONE;
        if (least < 0) {
            return ERROR;
        }
        *known = least;
    }
    if (self->cache.item[item].accepts) {
        Accept *known = accept_at(&bench->accepts, bench->accepted_at.at[item]);
        int32_t least = leasts_both(self, known->hold, hold);
        if (least < 0) {
            return ERROR;
        }
        known->hold = least;
    }
    return 0;
}

/* Add a thread; returns whether it has matched and cuts all others. */
static int
added(Automaton *self, int32_t number, int32_t start, int32_t hold, int32_t end)
{
    Bench *bench = self->bench;
    const Item item = self->cache.item[number];
    if (ints_get(&bench->seen, number) == bench->clock) {
        return self->least_hold && hold != NONE ? held_by_both(self, number, hold) : 0;
    }
    int32_t accepted = bench->accepts.count;
    if (item.accepts
        && (noted(self, &bench->accepts, start, hold, AFTER, 0) < 0
            || ints_set(&bench->accepted_at, number, accepted) < 0)) {
        return ERROR;
    }
    if (ints_set(&bench->seen, number, bench->clock) < 0
        || ints_set(&bench->seen_at, number, NONE) < 0) {
        return ERROR;
    }
    if (item.alive && (self->least_hold || !is_needless(self, &item))) {
        for (int32_t index = 0; index < item.ahead_count; index++) {
            int32_t ahead = self->cache.ahead_lists.at[item.ahead + index];
            if (ints_set(&bench->ahead, ahead, bench->clock) < 0) {
                return ERROR;
            }
        }
        if (grown((void **)&bench->thread, &bench->thread_room, (int64_t)bench->threads + 1,
                  sizeof(Thread)) < 0) {
            return ERROR;
        }
        bench->seen_at.at[number] = bench->threads;
        Thread thread = {number, start, hold, end};
        bench->thread[bench->threads++] = thread;
    }
    return item.accepts && self->cuts;
}

/* Let the masked group open where a way opens it first: returns whether the way may be taken. */
static int
opened_by(Automaton *self, const Way *way, int32_t *hold)
{
    if (*hold != NONE || !way->opens || !self->group) {
        return 1;
    }
    if (!(self->bench->mode & OPENS)) {
        return 0;
    }
    *hold = single(self, HERE);
    return *hold < 0 ? ERROR : 1;
}

/* Add what a thread leads to: returns whether one has matched and cuts all others. */
static int
thread_advanced(Automaton *self, const Thread *thread, Steps steps)
{
    int32_t hold, start = start_of(self, thread);
    if (hold_of(self, thread, &hold) < 0) {
        return ERROR;
    }
    int cut = 0;
    for (int32_t index = 0; cut == 0 && index < steps.count; index++) {
        const Way way = self->cache.way[steps.first + index];
        int32_t end = way.ends ? HERE : thread->end == NOWHERE ? NO_END : thread->end;
        int32_t opened = hold;
        cut = opened_by(self, &way, &opened);
        cut = cut <= 0 ? cut : added(self, way.item, start, opened, end);
    }
    return cut;
}

/* Advance the threads; returns whether no other match may begin at this character. */
static int
advanced(Automaton *self, int32_t state, int32_t signature)
{
    Bench *bench = self->bench;
    int32_t count = self->cache.state[state].count;
    for (int32_t index = 0; index < count; index++) {
        const Thread *threads = threads_of(&self->cache, &self->cache.state[state]);
        const Thread thread = threads[index];
        int32_t number = steps_of(self, thread.item, signature);
        if (number < 0) {
            return number;
        }
        const Steps steps = self->cache.step[number];
        int cut = thread_advanced(self, &thread, steps), inside = cut > 0;
        if (cut == 0 && steps.matched) {
            cut = ended(self, &thread, &bench->accepts) < 0 ? ERROR : self->cuts;
            /* What begins at this character is not inside a match that ended before it. */
            inside = thread.end != NOWHERE;
        }
        if (cut > 0) {
            cut = hold_for(self, &bench->accepts, threads + index + 1, count - index - 1,
                           signature);
            return cut < 0 ? cut : inside;
        }
        if (cut < 0) {
            return cut;
        }
    }
    return 0;
}

/* Begin the pattern at this character. */
static int
begun(Automaton *self, int32_t left, int32_t signature)
{
    int32_t root = item_at(self, self->first, left, NOTHING);
    int32_t number = root < 0 ? root : steps_of(self, root, signature);
    if (number < 0) {
        return number;
    }
    const Steps steps = self->cache.step[number];
    int cut = 0;
    for (int32_t index = 0; cut == 0 && index < steps.count; index++) {
        const Way way = self->cache.way[steps.first + index];
        int32_t opened = NONE;
        cut = opened_by(self, &way, &opened);
        cut = cut <= 0 ? cut : added(self, way.item, HERE, opened, NO_END);
    }
    return cut < 0 ? cut : 0;
}

/* --- registers ---------------------------------------------------------------------------- */

typedef struct {
    const int32_t *sources;
    int32_t length, number;
} Least;

/* Registers first, in their order; then what is new, the oldest first. */
static int
least_order(const void *left, const void *right)
{
    const Least *a = left, *b = right;
    int later = a->length > 1 || a->sources[0] < 0, other = b->length > 1 || b->sources[0] < 0;
    if (later != other) {
        return later - other;
    }
    /* The sources are sorted, so that the first is the least. */
    for (int32_t index = 0; index < a->length && index < b->length; index++) {
        if (a->sources[index] != b->sources[index]) {
            return a->sources[index] < b->sources[index] ? -1 : 1;
        }
    }
    return (a->length > b->length) - (a->length < b->length);
}

/* Note that the next state needs an offset. */
static int
used(Bench *bench, int32_t least)
{
    if (least < 0) {
        return ERROR;
    }
    if (ints_get(&bench->numbered, least) == bench->clock) {
        return 0;
    }
    return ints_set(&bench->numbered, least, bench->clock) < 0 || ints_push(&bench->used, least) < 0
        ? ERROR
        : 0;
}

static int
all_used(Automaton *self)
{
    Bench *bench = self->bench;
    bench->used.count = 0;
    for (int32_t index = 0; index < bench->threads; index++) {
        const Thread *thread = &bench->thread[index];
        const Place *place = &self->place[self->cache.item[thread->item].place];
        if ((place->distance == VARIABLE && used(bench, single(self, thread->start)) < 0)
            || (thread->hold != NONE && place->opened == VARIABLE && used(bench, thread->hold) < 0)
            || (thread->end != NO_END && used(bench, single(self, thread->end)) < 0)) {
            return ERROR;
        }
    }
    return 0;
}

/* Give the sources numbers, in order, and note the sources of each register: returns where the note
   begins, or NONE if all stay as they are. */
static int
numbered(Automaton *self, int32_t *moves)
{
    Bench *bench = self->bench;
    int32_t count = bench->used.count, stay = 1;
    *moves = NONE;
    if (!count) {
        return 0;
    }
    Least *leasts = PyMem_Malloc((size_t)count * sizeof(Least));
    if (leasts == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    for (int32_t index = 0; index < count; index++) {
        int32_t number = bench->used.at[index];
        leasts[index].sources = numbers_key(&self->cache.leasts, number);
        leasts[index].length = numbers_length(&self->cache.leasts, number);
        leasts[index].number = number;
    }
    qsort(leasts, (size_t)count, sizeof(Least), least_order);
    Ints *notes = &self->cache.notes;
    int32_t first = notes->count, result = ints_push(notes, count);
    for (int32_t index = 0; result >= 0 && index < count; index++) {
        stay = stay && leasts[index].length == 1 && leasts[index].sources[0] == index;
        if (ints_set(&bench->number, leasts[index].number, index) < 0
            || ints_push(notes, leasts[index].length) < 0
            || ints_append(notes, leasts[index].sources, leasts[index].length) < 0) {
            result = ERROR;
        }
    }
    PyMem_Free(leasts);
    if (stay || result < 0) {
        notes->count = first;
    }
    else {
        *moves = first;
    }
    return result < 0 ? ERROR : 0;
}

/* The key of the state that the threads make up. */
static int
keyed(Automaton *self, int32_t left)
{
    Bench *bench = self->bench;
    Ints *key = &bench->key;
    key->count = 0;
    if (ints_push(key, left) < 0
        || ints_append(key, bench->sides.at, bench->sides.count) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < bench->threads; index++) {
        const Thread *thread = &bench->thread[index];
        const Place *place = &self->place[self->cache.item[thread->item].place];
        int32_t made[THREAD_INTS] = {thread->item, FIXED, NOWHERE, NOWHERE};
        if (place->distance == VARIABLE) {
            made[1] = bench->number.at[single(self, thread->start)];
        }
        if (thread->hold != NONE) {
            made[2] = place->opened == VARIABLE ? bench->number.at[thread->hold] : FIXED;
        }
        if (thread->end != NO_END) {
            made[3] = bench->number.at[single(self, thread->end)];
        }
        if (ints_append(key, made, THREAD_INTS) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Put accepts into the notes: how many; of each NOTE_INTS, and its hold's sources. Returns where they
   begin, NONE if there are none, or BROKEN. */
static int32_t
accepts_kept(Automaton *self, const Ints *accepts)
{
    Ints *notes = &self->cache.notes;
    if (!accepts->count) {
        return NONE;
    }
    int32_t first = notes->count;
    if (ints_push(notes, accepts->count / ACCEPT_INTS) < 0) {
        return BROKEN;
    }
    for (int32_t index = 0; index < accepts->count; index += ACCEPT_INTS) {
        const Accept *accept = accept_at(accepts, index);
        int32_t length = numbers_length(&self->cache.leasts, accept->hold);
        int32_t note[NOTE_INTS] = {accept->start, accept->end, accept->late, length};
        if (ints_append(notes, note, NOTE_INTS) < 0
            || ints_append(notes, numbers_key(&self->cache.leasts, accept->hold), length) < 0) {
            return BROKEN;
        }
    }
    return first;
}

/* Build the transition of a state on a class of characters. */
static int
transition(Automaton *self, int32_t state, int32_t signature, int mode, Edge *edge)
{
    Bench *bench = self->bench;
    bench->mode = mode;
    bench->sides.count = 0;
    int32_t left = behind_of(self, signature);
    int32_t bits = left < 0 ? left : sides_of(self, state, signature, left, &bench->sides);
    left = bits < 0 ? bits : either(self, left, bits);
    if (left < 0 || sides_alive(self, &bench->sides) < 0) {
        return left < 0 ? left : ERROR;
    }
    int32_t seen = either(self, signature, left);
    if (seen < 0) {
        return ERROR;
    }
    if (bench->clock == INT32_MAX) {
        bench->seen.count = bench->ahead.count = bench->numbered.count = bench->clock = 0;
    }
    bench->clock++;
    bench->threads = bench->accepts.count = 0;
    int complete = advanced(self, state, seen);
    if (complete == 0 && mode & BEGINS) {
        complete = begun(self, self->cache.state[state].left, seen);
    }
    if (complete < 0) {
        return complete;
    }
    if (bench->threads > self->most_threads && self->cache.state[state].count) {
        return TOO_MANY;
    }
    if (all_used(self) < 0 || numbered(self, &edge->moves) < 0 || keyed(self, left) < 0) {
        return ERROR;
    }
    edge->target = state_of(self, &bench->key);
    edge->accepts = accepts_kept(self, &bench->accepts);
    if (edge->target < 0 || edge->accepts == BROKEN) {
        return ERROR;
    }
    const State *target = &self->cache.state[edge->target];
    edge->registers = target->idle ? NONE : target->registers;
    return 0;
}

/* The bits of the next character that matter in a state: to its threads, to a match that begins
   here, and to the lookbehinds. */
static int32_t
state_asks(Automaton *self, int32_t number)
{
    Cache *cache = &self->cache;
    if (cache->state[number].asks != NONE) {
        return cache->state[number].asks;
    }
    int32_t root = item_at(self, self->first, cache->state[number].left, NOTHING);
    int32_t asks = root < 0 ? root : cache->item[root].asks;
    for (int32_t index = 0; asks >= 0 && index < self->behinds.count / 2; index++) {
        int32_t first = self->behinds.at[2 * index];
        root = item_at(self, first, cache->state[number].left, NOTHING);
        asks = root < 0 ? root : with_items_asks(self, asks, &root, 1);
        int32_t side = numbers_key(&cache->states, number)[1 + index];
        asks = with_items_asks(self, asks, numbers_key(&cache->item_sets, side),
                               numbers_length(&cache->item_sets, side));
    }
    const State *state = &cache->state[number];
    const Thread *thread = threads_of(cache, state);
    for (int32_t index = 0; asks >= 0 && index < state->count; index++, thread++) {
        asks = with_items_asks(self, asks, &thread->item, 1);
    }
    return asks < 0 ? asks : (cache->state[number].asks = asks);
}

/* A state's transition on a class of this pattern: the number of an edge. Classes that the state does
   not tell apart share one. */
static int32_t
edge_on(Automaton *self, int32_t number, int32_t local, int mode)
{
    Cache *cache = &self->cache;
    int32_t asks = state_asks(self, number);
    int32_t asked = asks < 0 ? asks : both(self, self->cache.local_signature.at[local], asks);
    if (asked < 0) {
        return asked;
    }
    int32_t key[3] = {number, asked, mode}, known = numbers_find(&cache->edges, key, 3);
    if (known != NONE) {
        return known;
    }
    Edge edge = {NONE, NONE, NONE, NONE};
    int32_t result = transition(self, number, asked, mode, &edge);
    if (result < 0) {
        return result;
    }
    if (grown((void **)&cache->edge, &cache->edge_room, (int64_t)cache->edges.count + 1,
              sizeof(Edge)) < 0
        || (known = numbers_of(&cache->edges, key, 3)) < 0) {
        return ERROR;
    }
    cache->edge[known] = edge;
    return known;
}

/* The same for a class that is new to the state, if a match may begin and the group open. */
static int32_t
edge_of(Automaton *self, int32_t number, int32_t local)
{
    Cache *cache = &self->cache;
    int32_t edge = edge_on(self, number, local, BEGINS | OPENS);
    if (edge < 0) {
        return edge;
    }
    if (local >= cache->row[number].count) {
        /* The row moves to where there is room for it. */
        const Row old = cache->row[number];
        const Row row = {cache->rows.count, local < 4 ? 4 : 2 * (local + 1)};
        for (int32_t index = 0; index < row.count; index++) {
            int32_t value = index < old.count ? cache->rows.at[old.first + index] : NONE;
            if (ints_push(&cache->rows, value) < 0) {
                return ERROR;
            }
        }
        cache->row[number] = row;
    }
    return cache->rows.at[cache->row[number].first + local] = edge;
}

/* Put into `accepts` what the end of the text accepts; only the first if the automaton cuts. */
static int
at_end(Automaton *self, int32_t number, Ints *accepts)
{
    for (int32_t index = 0; index < self->cache.state[number].count; index++) {
        const Thread thread = threads_of(&self->cache, &self->cache.state[number])[index];
        if (self->cache.item[thread.item].ends == ENDS) {
            if (ended(self, &thread, accepts) < 0) {
                return ERROR;
            }
            if (self->cuts) {
                break;
            }
        }
    }
    return 0;
}

/* --- after a flush ------------------------------------------------------------------------ */

static int32_t item_renewed(Automaton *self, const Cache *old, int32_t number);

static int32_t
obligations_renewed(Automaton *self, const Cache *old, int32_t number)
{
    Ints all = {0}, made = {0};
    int32_t result = 0;
    int32_t length = numbers_length(&old->obligation_sets, number);
    for (int32_t index = 0; result >= 0 && index < length; index++) {
        int32_t obligation = numbers_key(&old->obligation_sets, number)[index];
        const int32_t *items = numbers_key(&old->obligations, obligation);
        made.count = 0;
        result = ints_push(&made, items[0]);
        int32_t end = numbers_length(&old->obligations, obligation);
        for (int32_t item = 1; result >= 0 && item < end; item++) {
            int32_t renewed = item_renewed(self, old, items[item]);
            result = renewed < 0 ? renewed : ints_push(&made, renewed);
        }
        if (result >= 0) {
            int32_t count = 1 + ints_unique(made.at + 1, made.count - 1);
            int32_t obligation_now = numbers_of(&self->cache.obligations, made.at, count);
            result = obligation_now < 0 ? ERROR : ints_push(&all, obligation_now);
        }
    }
    if (result >= 0) {
        result = set_of(&self->cache.obligation_sets, &all);
    }
    ints_free(&all);
    ints_free(&made);
    return result;
}

/* Give the program's own signatures the numbers that they had. */
static int
signatures_named(Automaton *self, const Cache *old)
{
    for (int32_t number = 0; number < self->named; number++) {
        const int32_t *bits = numbers_key(&old->signatures, number);
        if (numbers_of(&self->cache.signatures, bits, self->words) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* The present number of an old signature. */
static int32_t
signature_renewed(Automaton *self, const Cache *old, int32_t number)
{
    return numbers_of(&self->cache.signatures, numbers_key(&old->signatures, number), self->words);
}

/* The present equal of an old item. */
static int32_t
item_renewed(Automaton *self, const Cache *old, int32_t number)
{
    const Item *item = &old->item[number];
    int32_t obligations = obligations_renewed(self, old, item->obligations);
    int32_t left = obligations < 0 ? ERROR : signature_renewed(self, old, item->left);
    return left < 0 ? ERROR : item_at(self, item->place, left, obligations);
}

static int32_t
set_renewed(Automaton *self, const Cache *old, int32_t number)
{
    Ints made = {0};
    int32_t result = 0, length = numbers_length(&old->item_sets, number);
    for (int32_t index = 0; result >= 0 && index < length; index++) {
        int32_t item = item_renewed(self, old, numbers_key(&old->item_sets, number)[index]);
        result = item < 0 ? item : ints_push(&made, item);
    }
    if (result >= 0) {
        result = set_of(&self->cache.item_sets, &made);
    }
    ints_free(&made);
    return result;
}

/* The present equal of an old state. */
static int32_t
state_renewed(Automaton *self, const Cache *old, int32_t number)
{
    const int32_t *key = numbers_key(&old->states, number);
    int32_t length = numbers_length(&old->states, number), before = context_ints(self);
    Ints made = {0};
    int32_t left = signature_renewed(self, old, key[0]);
    int32_t result = left < 0 ? ERROR : ints_push(&made, left);
    for (int32_t index = 1; result >= 0 && index < length; index++) {
        int32_t value = key[index];
        if (index < before) {
            value = set_renewed(self, old, value);
        }
        else if ((index - before) % THREAD_INTS == 0) {
            value = item_renewed(self, old, value);
        }
        else {
            /* A register's number, or FIXED, or NOWHERE. */
            result = ints_push(&made, value);
            continue;
        }
        result = value < 0 ? value : ints_push(&made, value);
    }
    if (result >= 0) {
        result = state_of(self, &made);
    }
    ints_free(&made);
    return result;
}

#endif
