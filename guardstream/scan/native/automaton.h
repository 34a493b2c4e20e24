/* One pattern's automaton, built where the text has been: `closure.py`, `registers.py` and `dfa.py`
   over tables of ints. What is what, and why, is told there. A list is where it begins in a table,
   and its length; a set is the number of its key. What there is in Python, and here:

       Items._followed                     Walk, followed, closure_of
       Item, Items.at                      Item, item_filled, item_at
       Items._step, _way, Items.advance    stepped, entry_target, way_added, steps_of
       Items._advanced, Items._looked      obligations_advanced, looked
       Contexts.after                      sides_of, with_behind: each state has a context of its own
       State, Transition                   State, Edge
       _Step                               Bench: advanced, begun, added, hold_for, held_by_both
       renumbered                          all_used, numbered, keyed
       Automaton._build, State.__missing__ transition, edge_on, edge_of
       Automaton.at_end                    at_end

   Python is never called from here, so that nothing moves while it is built. Where a place is not
   known yet, a function returns WANTED and names it; what has been built so far stands, and the
   same question is asked again. Where a state would have too many threads it returns TOO_MANY: the
   pattern fails in this stream. */

#ifndef GUARDSTREAM_AUTOMATON_H
#define GUARDSTREAM_AUTOMATON_H

#include "memory.h"

#define WANTED (-2)
#define UNMET (-3) /* an obligation has failed */
#define TOO_MANY (-5)

/* The place that `Program` makes first: there the pattern has matched, no lookaround of it. */
#define MATCHED 0

/* As `nfa.Kind` has them; UNKNOWN is a place that Python has not told of yet. */
enum kind { UNKNOWN, CHAR, AHEAD, BEHIND, LOOK, OPEN, SHUT, SPLIT, LOOP, ROUND, MATCH };

/* As in nfa.py. */
#define VARIABLE (-1)

/* As in registers.py. */
#define FIXED (-1)
#define NOWHERE (-2)
#define AFTER (-1)
#define HERE (-2)
#define BACK(distance) (HERE - (distance))
#define NO_END INT32_MIN /* no source is as small */

#define MAX_DEPTH 300 /* of closures and steps that need one another, which take the stack */
#define FREE 0    /* the condition that asks nothing */
#define NOTHING 0 /* the set without obligations, without items, without bits */

/* --- what it is made of ------------------------------------------------------------------- */

typedef struct {
    int32_t kind, condition, after, out, aside, negate, distance, opened;
    int32_t first, count; /* its ways */
} Place;

#define PLACE_INTS (1 + INTS_IN(Place)) /* as `NativeProgram._places` gives it: its number first */

/* As `closure.Entry`: what may follow an item. */
typedef struct {
    int32_t place, condition;
    int32_t obligations; /* lookaheads under way: a set of them */
    int32_t opens;
} Entry;

/* As `closure.Way`: an item that a character leads to. */
typedef struct {
    int32_t item, opens, ends;
} Way;

#define WAY_INTS INTS_IN(Way)

/* Whether an item matches if the text ends; ENDS_ASKED while that is found out. */
enum { ENDS_NOT, ENDS, ENDS_UNKNOWN, ENDS_ASKED };

/* As `closure.Item`. */
typedef struct {
    int32_t place, left, obligations;
    int32_t first, count;       /* its entries */
    int32_t ahead, ahead_count; /* what can become of it */
    int32_t asks;               /* the bits of the next character that matter to it */
    uint8_t accepts, alive, ends;
} Item;

/* What may follow a place, after what has some bits: its epsilon closure. */
typedef struct {
    int32_t first, count; /* its entries */
    int32_t looked_back;  /* whether it may be another one after other bits */
} Closure;

/* As `closure.Steps`: what a character leads an item to. */
typedef struct {
    int32_t first, count; /* its ways */
    int32_t matched;      /* whether the pattern has matched before the character */
} Steps;

/* As `registers.Thread`. */
typedef struct {
    int32_t item, start, hold, end;
} Thread;

#define THREAD_INTS INTS_IN(Thread)

/* As `registers.Accept`, of which the hold is the number of a list of sources. */
typedef struct {
    int32_t start, hold, end, late;
} Accept;

#define ACCEPT_INTS INTS_IN(Accept)
#define NOTE_INTS 4 /* of an accept in the notes: start, end, late, and how many sources follow */

/* As `registers.Live`, where candidates began: the longest fixed distance, and registers. */
typedef struct {
    int32_t distance, first, count;
} Live;

/* As `dfa.State` and its context. */
typedef struct {
    int32_t left;           /* the bits of the last character */
    int32_t first, count;   /* its threads, in the pool of `states` */
    int32_t registers;      /* how many a stream has here */
    int32_t asks;           /* the bits of the next character that matter, NONE if not known yet */
    int32_t idle;
    int32_t told; /* whether the lookbehind matches here which the automaton is */
    Live starts, holds;
} State;

/* Where a state's edges stand in `rows`, by class. Every character of a text that is new looks these up
   for all that is awake: they stand close together. */
typedef struct {
    int32_t first, count;
} Row;

/* As `dfa.Transition`. */
typedef struct {
    int32_t target;
    int32_t moves;     /* what the registers become, in `notes`, or NONE */
    int32_t accepts;   /* what matches, in `notes`, or NONE */
    int32_t registers; /* how many the target has, or NONE where it is idle or not looked at */
} Edge;

/* What is forgotten when it grows too large. What every character asks for stands together. */
typedef struct {
    Row *row; /* by state */
    Edge *edge;
    State *state;
    Ints rows, notes, registers;
    Numbers closures, items, advanced, item_sets, obligations, obligation_sets, aheads, leasts;
    Numbers states;
    Numbers edges; /* by state, what it asks of a character, and the transition's mode */
    Numbers signatures;
    Ints behind_of; /* a signature's bits that are asked of the last character */
    Ints local_signature, local_of;
    Closure *closure; /* by the number of a place and bits in `closures` */
    Steps *step;      /* by the number of an item and a signature in `advanced` */
    Entry *entry;
    Way *way;
    Item *item;
    int32_t closure_room, step_room, entry_room, way_room, item_room, state_room, row_room;
    int32_t edge_room;
    int32_t entries, ways;
    Ints ahead_lists, idle;
} Cache;

/* What one transition is put together in. What is noted of an item or a list of sources holds if
   its mark is the clock's: so nothing need be cleared for the next transition. */
typedef struct {
    Thread *thread; /* with sources in place of registers */
    int32_t threads, thread_room;
    Ints accepts; /* `Accept`s */
    Ints seen, seen_at, accepted_at; /* by item: its mark, its thread, its accept */
    Ints ahead;                      /* by what can become of items: its mark */
    Ints numbered, number;           /* by list of sources: its mark, its register */
    Ints used, key, cut, sides;
    int32_t clock;
    int mode; /* what it may do: BEGINS, OPENS */
} Bench;

#define BEGINS 1 /* a match may begin at the character */
#define OPENS 2  /* the masked group may open before it */

typedef struct {
    Cache cache;
    Place *place;
    int32_t places, place_room;
    Ints ways;
    Ints bits; /* each of its bits' number among those of all patterns */
    int32_t words;
    Numbers conditions;
    uint32_t *scratch;
    Ints behinds; /* the lookbehinds: place, bit */
    int32_t first, pending, behind, looks, last, tells, end;
    int32_t named; /* so many signatures are the program's own: they keep their numbers */
    int32_t group, cuts, least_hold, most_threads;
    int32_t loaded, wanted, depth;
    int32_t blurred; /* a hold-back may have begun before its match's own group */
    int64_t bytes;
    Bench *bench;
} Automaton;

/* A cache's tables that are alike: all are listed here, to be counted and freed. */
typedef struct {
    Numbers *numbers[11];
    Ints *ints[8];
} Tables;

static Tables
cache_tables(Cache *cache)
{
    return (Tables){
        {&cache->closures, &cache->items, &cache->advanced, &cache->item_sets, &cache->obligations,
         &cache->obligation_sets, &cache->aheads, &cache->leasts, &cache->states, &cache->edges,
         &cache->signatures},
        {&cache->ahead_lists, &cache->rows, &cache->notes, &cache->registers, &cache->idle,
         &cache->behind_of, &cache->local_signature, &cache->local_of},
    };
}

static void
cache_free(Cache *cache)
{
    const Tables tables = cache_tables(cache);
    for (size_t index = 0; index < COUNT_OF(tables.numbers); index++) {
        numbers_free(tables.numbers[index]);
    }
    for (size_t index = 0; index < COUNT_OF(tables.ints); index++) {
        ints_free(tables.ints[index]);
    }
    PyMem_Free(cache->closure);
    PyMem_Free(cache->step);
    PyMem_Free(cache->entry);
    PyMem_Free(cache->way);
    PyMem_Free(cache->item);
    PyMem_Free(cache->row);
    PyMem_Free(cache->state);
    PyMem_Free(cache->edge);
    memset(cache, 0, sizeof(*cache));
}

static int64_t
cache_bytes(Cache *cache)
{
    const Tables tables = cache_tables(cache);
    int64_t bytes = (int64_t)sizeof(Closure) * cache->closure_room
        + (int64_t)sizeof(Steps) * cache->step_room + (int64_t)sizeof(Entry) * cache->entry_room
        + (int64_t)sizeof(Way) * cache->way_room + (int64_t)sizeof(Item) * cache->item_room
        + (int64_t)sizeof(Row) * cache->row_room + (int64_t)sizeof(State) * cache->state_room
        + (int64_t)sizeof(Edge) * cache->edge_room;
    for (size_t index = 0; index < COUNT_OF(tables.numbers); index++) {
        bytes += numbers_bytes(tables.numbers[index]);
    }
    for (size_t index = 0; index < COUNT_OF(tables.ints); index++) {
        bytes += (int64_t)sizeof(int32_t) * tables.ints[index]->room;
    }
    return bytes;
}

/* Number the empty sets, so that they are NOTHING. */
static int
cache_start(Cache *cache)
{
    Ints none = {0};
    return set_of(&cache->item_sets, &none) < 0 || set_of(&cache->obligation_sets, &none) < 0
        ? ERROR
        : 0;
}

static void
automaton_free(Automaton *self)
{
    cache_free(&self->cache);
    PyMem_Free(self->place);
    PyMem_Free(self->scratch);
    Ints *ints[] = {&self->ways, &self->bits, &self->behinds};
    for (size_t index = 0; index < COUNT_OF(ints); index++) {
        ints_free(ints[index]);
    }
    numbers_free(&self->conditions);
}

static void
bench_free(Bench *bench)
{
    PyMem_Free(bench->thread);
    Ints *ints[] = {&bench->accepts, &bench->seen, &bench->seen_at, &bench->accepted_at,
                    &bench->ahead, &bench->numbered, &bench->number, &bench->used,
                    &bench->key, &bench->cut, &bench->sides};
    for (size_t index = 0; index < COUNT_OF(ints); index++) {
        ints_free(ints[index]);
    }
}

/* --- signatures and conditions ------------------------------------------------------------ */

static const uint32_t *
bits_of(const Automaton *self, int32_t signature)
{
    return (const uint32_t *)numbers_key(&self->cache.signatures, signature);
}

static int32_t
scratch_number(Automaton *self)
{
    return numbers_of(&self->cache.signatures, (const int32_t *)self->scratch, self->words);
}

static int32_t
either(Automaton *self, int32_t left, int32_t right)
{
    if (left == right || right == NOTHING) {
        return left;
    }
    const uint32_t *a = bits_of(self, left), *b = bits_of(self, right);
    for (int32_t word = 0; word < self->words; word++) {
        self->scratch[word] = a[word] | b[word];
    }
    return scratch_number(self);
}

static int32_t
both(Automaton *self, int32_t left, int32_t right)
{
    if (left == right || right == NOTHING) {
        return right;
    }
    const uint32_t *a = bits_of(self, left), *b = bits_of(self, right);
    for (int32_t word = 0; word < self->words; word++) {
        self->scratch[word] = a[word] & b[word];
    }
    return scratch_number(self);
}

/* The bits of a signature that the pattern asks the last character for. */
static int32_t
behind_of(Automaton *self, int32_t signature)
{
    int32_t known = ints_get(&self->cache.behind_of, signature);
    if (known == NONE) {
        known = both(self, signature, self->behind);
        if (known < 0 || ints_set(&self->cache.behind_of, signature, known) < 0) {
            return ERROR;
        }
    }
    return known;
}

static int
holds(const Automaton *self, int32_t condition, int32_t signature)
{
    if (condition == FREE) {
        return 1;
    }
    const uint32_t *bits = bits_of(self, signature);
    const uint32_t *needs = (const uint32_t *)numbers_key(&self->conditions, condition);
    const uint32_t *bars = needs + self->words;
    for (int32_t word = 0; word < self->words; word++) {
        if ((bits[word] & needs[word]) != needs[word] || (bits[word] & bars[word])) {
            return 0;
        }
    }
    return 1;
}

/* Both conditions as one. */
static int32_t
joined(Automaton *self, int32_t left, int32_t right)
{
    if (left == right || right == FREE) {
        return left;
    }
    if (left == FREE) {
        return right;
    }
    const uint32_t *a = (const uint32_t *)numbers_key(&self->conditions, left);
    const uint32_t *b = (const uint32_t *)numbers_key(&self->conditions, right);
    for (int32_t word = 0; word < 2 * self->words; word++) {
        self->scratch[word] = a[word] | b[word];
    }
    return numbers_of(&self->conditions, (const int32_t *)self->scratch, 2 * self->words);
}

/* Whether a character can fulfil it at all. */
static int
is_possible(const Automaton *self, int32_t condition)
{
    const uint32_t *needs = (const uint32_t *)numbers_key(&self->conditions, condition);
    for (int32_t word = 0; word < self->words; word++) {
        if (needs[word] & needs[self->words + word]) {
            return 0;
        }
    }
    return 1;
}

/* --- items: what a thread has read, and what may follow ------------------------------------ */

static int32_t item_at(Automaton *self, int32_t place, int32_t left, int32_t obligations);
static int32_t steps_of(Automaton *self, int32_t item, int32_t signature);

/* A set of obligations with one more. */
static int32_t
obligations_with(Automaton *self, int32_t obligations, int32_t negate, int32_t item)
{
    int32_t key[2] = {negate, item};
    int32_t obligation = numbers_of(&self->cache.obligations, key, 2), found = ERROR;
    Ints all = {0};
    if (obligation >= 0
        && ints_append(&all, numbers_key(&self->cache.obligation_sets, obligations),
                       numbers_length(&self->cache.obligation_sets, obligations)) >= 0
        && ints_push(&all, obligation) >= 0) {
        found = set_of(&self->cache.obligation_sets, &all);
    }
    ints_free(&all);
    return found;
}

static int32_t
obligations_joined(Automaton *self, int32_t left, int32_t right)
{
    if (left == right || right == NOTHING) {
        return left;
    }
    if (left == NOTHING) {
        return right;
    }
    Numbers *sets = &self->cache.obligation_sets;
    Ints all = {0};
    int32_t found = ERROR;
    if (ints_append(&all, numbers_key(sets, left), numbers_length(sets, left)) >= 0
        && ints_append(&all, numbers_key(sets, right), numbers_length(sets, right)) >= 0) {
        found = set_of(sets, &all);
    }
    ints_free(&all);
    return found;
}

/* What a lookahead's items lead to, appended to `reached`; 1 if one of them has matched. */
static int
looked(Automaton *self, const Ints *items, int32_t signature, Ints *reached)
{
    for (int32_t index = 1; index < items->count; index++) {
        int32_t number = steps_of(self, items->at[index], signature);
        if (number < 0) {
            return number;
        }
        const Steps steps = self->cache.step[number];
        if (steps.matched) {
            return 1;
        }
        for (int32_t way = steps.first; way < steps.first + steps.count; way++) {
            int32_t item = self->cache.way[way].item;
            if (self->cache.item[item].accepts) {
                return 1;
            }
            if (ints_push(reached, item) < 0) {
                return ERROR;
            }
        }
    }
    return 0;
}

/* What is left of one obligation, appended to `left`; UNMET if it has failed. */
static int
obligation_advanced(Automaton *self, int32_t obligation, int32_t signature, Ints *left)
{
    Ints items = {0}, reached = {0};
    int32_t negate = *numbers_key(&self->cache.obligations, obligation), result = ERROR;
    if (ints_append(&items, numbers_key(&self->cache.obligations, obligation),
                    numbers_length(&self->cache.obligations, obligation)) < 0
        || ints_push(&reached, negate) < 0) {
        goto done;
    }
    result = looked(self, &items, signature, &reached);
    if (result == 1) {
        result = negate ? UNMET : 0;
    }
    else if (result == 0 && reached.count > 1) {
        int32_t count = 1 + ints_unique(reached.at + 1, reached.count - 1);
        int32_t after = numbers_of(&self->cache.obligations, reached.at, count);
        result = after < 0 ? ERROR : ints_push(left, after);
    }
    else if (result == 0 && !negate) {
        result = UNMET;
    }
done:
    ints_free(&items);
    ints_free(&reached);
    return result;
}

/* What is left of obligations after a character: a set, or UNMET. */
static int32_t
obligations_advanced(Automaton *self, int32_t obligations, int32_t signature)
{
    if (obligations == NOTHING) {
        return NOTHING;
    }
    Ints all = {0}, left = {0};
    int32_t result = ints_append(&all, numbers_key(&self->cache.obligation_sets, obligations),
                                 numbers_length(&self->cache.obligation_sets, obligations));
    for (int32_t index = 0; result >= 0 && index < all.count; index++) {
        result = obligation_advanced(self, all.at[index], signature, &left);
    }
    if (result >= 0) {
        result = set_of(&self->cache.obligation_sets, &left);
    }
    ints_free(&all);
    ints_free(&left);
    return result;
}

/* Where a walk has come that looks for what may follow a place. */
typedef struct {
    int32_t place, condition, obligations;
    int32_t round; /* the newest round on the way in which nothing has been read yet, or NONE */
    int32_t opens; /* whether the masked group has opened on the way */
} Point;

#define ENTRY_INTS INTS_BEFORE(Point, round) /* what an entry has of it */
#define SEEN_INTS INTS_BEFORE(Point, opens)  /* what need not be looked at twice */
#define POINT_INTS INTS_IN(Point)

/* The walk over all places that read no character. */
typedef struct {
    Ints pending;   /* points, the preferred last */
    Numbers seen;   /* points that have been looked at */
    Numbers found;  /* what may follow, in order of preference */
    Ints opens;     /* of each whether the masked group opens first */
    Numbers rounds; /* pairs of a loop and the round before, NONE before the first */
    int32_t left;   /* the bits of what stands before the place */
    int looked_back;
} Walk;

static void
walk_free(Walk *walk)
{
    ints_free(&walk->pending);
    numbers_free(&walk->seen);
    numbers_free(&walk->found);
    ints_free(&walk->opens);
    numbers_free(&walk->rounds);
}

static int
point_push(Walk *walk, Point point)
{
    return ints_append(&walk->pending, (const int32_t *)&point, POINT_INTS) < 0 ? ERROR : 0;
}

/* Begin a round of a loop, after another one: its number, or ERROR. */
static int32_t
round_begun(Walk *walk, int32_t loop, int32_t round)
{
    int32_t begun[2] = {loop, round};
    return numbers_of(&walk->rounds, begun, 2);
}

#define OUTSIDE (-2)

/* The round before that of a loop, of those begun on the way; OUTSIDE if none is of the loop. */
static int32_t
round_before(const Walk *walk, int32_t round, int32_t loop)
{
    while (round != NONE) {
        const int32_t *begun = numbers_key(&walk->rounds, round);
        round = begun[1];
        if (begun[0] == loop) {
            return round;
        }
    }
    return OUTSIDE;
}

/* Note that a place may follow which reads a character, or at which the pattern has matched. */
static int
entry_found(Automaton *self, Walk *walk, Point point)
{
    point.condition = joined(self, point.condition, self->place[point.place].condition);
    if (point.condition < 0 || !is_possible(self, point.condition)) {
        return point.condition < 0 ? ERROR : 0;
    }
    int32_t known = walk->found.count;
    int32_t number = numbers_of(&walk->found, (const int32_t *)&point, ENTRY_INTS);
    return number < 0 || (number == known && ints_push(&walk->opens, point.opens) < 0) ? ERROR : 0;
}

/* Take an obligation on, unless the lookahead is decided here: returns whether the walk goes on. */
static int
look_begun(Automaton *self, const Walk *walk, const Place *place, Point *point)
{
    int32_t aside = item_at(self, place->aside, walk->left, NOTHING);
    if (aside < 0) {
        return aside;
    }
    int accepts = self->cache.item[aside].accepts, alive = self->cache.item[aside].alive;
    if (place->negate ? accepts : !(accepts || alive)) {
        return 0;
    }
    if (!accepts && alive) {
        point->obligations = obligations_with(self, point->obligations, place->negate, aside);
    }
    return point->obligations < 0 ? ERROR : 1;
}

/* Do what a place asks for that reads no character: returns whether the walk goes on. */
static int
place_passed(Automaton *self, Walk *walk, const Place *place, Point *point)
{
    switch (place->kind) {
    case BEHIND:
        walk->looked_back = 1;
        return holds(self, place->condition, walk->left);
    case AHEAD:
        point->condition = joined(self, point->condition, place->condition);
        return point->condition < 0 ? ERROR : 1;
    case OPEN:
    case SHUT:
        point->opens = place->kind == OPEN;
        return 1;
    case LOOK:
        walk->looked_back = 1;
        return place->aside == NONE ? 1 : look_begun(self, walk, place, point);
    case ROUND:
        point->round = round_begun(walk, place->out, point->round);
        return point->round < 0 ? ERROR : 1;
    default:
        return 1;
    }
}

/* Go on by all ways of a place. Where it `begins` a round, all but the way out are in it. */
static int
ways_pushed(Automaton *self, Walk *walk, const Place *place, Point point, int begins)
{
    int32_t outside = point.round;
    int32_t inside = begins ? round_begun(walk, point.place, outside) : outside;
    if (begins && inside < 0) {
        return ERROR;
    }
    for (int32_t way = place->count - 1; way >= 0; way--) {
        point.place = self->ways.at[place->first + way];
        point.round = point.place == place->out ? outside : inside;
        if (point_push(walk, point) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Go on from a point. */
static int
point_followed(Automaton *self, Walk *walk, Point point)
{
    const Place *place = &self->place[point.place];
    if (place->kind == UNKNOWN) {
        self->wanted = point.place;
        return WANTED;
    }
    int32_t before = place->kind == LOOP ? round_before(walk, point.round, point.place) : OUTSIDE;
    if (before != OUTSIDE && place->out != NONE) {
        /* An empty round ends the loop, as in `regex`, whatever it has asked. */
        point.place = place->out;
        point.round = before;
        return point_push(walk, point);
    }
    int32_t known = walk->seen.count;
    int32_t number = numbers_of(&walk->seen, (const int32_t *)&point, SEEN_INTS);
    if (number < known) {
        return number < 0 ? ERROR : 0;
    }
    if (place->kind == CHAR || place->kind == MATCH) {
        return entry_found(self, walk, point);
    }
    int goes_on = place_passed(self, walk, place, &point);
    if (goes_on <= 0) {
        return goes_on;
    }
    if (place->after != NONE) {
        point.place = place->after;
        return point_push(walk, point);
    }
    return ways_pushed(self, walk, place, point, place->kind == LOOP && before == OUTSIDE);
}

/* Walk from a place to all that may follow it. */
static int
followed(Automaton *self, Walk *walk, int32_t first)
{
    Ints *pending = &walk->pending;
    int result = point_push(walk, (Point){first, FREE, NOTHING, NONE, 0});
    while (result >= 0 && pending->count) {
        Point point;
        pending->count -= POINT_INTS;
        memcpy(&point, pending->at + pending->count, sizeof(point));
        result = point_followed(self, walk, point);
    }
    return result;
}

/* Keep what a walk from a place has found as its epsilon closure: its number, or ERROR. */
static int32_t
closure_kept(Automaton *self, int32_t place, const Walk *walk)
{
    Cache *cache = &self->cache;
    int32_t key[2] = {place, walk->left}, count = walk->found.count, number;
    if (grown((void **)&cache->entry, &cache->entry_room, (int64_t)cache->entries + count,
              sizeof(Entry)) < 0
        || grown((void **)&cache->closure, &cache->closure_room,
                 (int64_t)cache->closures.count + 1, sizeof(Closure)) < 0
        || (number = numbers_of(&cache->closures, key, 2)) < 0) {
        return ERROR;
    }
    cache->closure[number] = (Closure){cache->entries, count, walk->looked_back};
    for (int32_t index = 0; index < count; index++) {
        const int32_t *found = numbers_key(&walk->found, index);
        cache->entry[cache->entries++]
            = (Entry){found[0], found[1], found[2], walk->opens.at[index]};
    }
    return number;
}

/* The epsilon closure of a place after what has the bits `left`: its number. */
static int32_t
closure_of(Automaton *self, int32_t place, int32_t left)
{
    int32_t key[2] = {place, left};
    int32_t number = numbers_find(&self->cache.closures, key, 2);
    if (number != NONE) {
        return number;
    }
    if (self->depth >= MAX_DEPTH) {
        return failed("lookaheads stand too deep within one another");
    }
    Walk walk = {.left = left};
    self->depth++;
    int32_t result = followed(self, &walk, place);
    self->depth--;
    if (result >= 0) {
        result = closure_kept(self, place, &walk);
    }
    walk_free(&walk);
    return result;
}

static int
is_certain(const Automaton *self, const Entry *entry)
{
    return self->place[entry->place].kind == MATCH && entry->condition == FREE
        && entry->obligations == NOTHING;
}

/* The bits that a condition asks for. */
static int32_t
condition_asks(Automaton *self, int32_t condition)
{
    const uint32_t *needs = (const uint32_t *)numbers_key(&self->conditions, condition);
    for (int32_t word = 0; word < self->words; word++) {
        self->scratch[word] = needs[word] | needs[self->words + word];
    }
    return scratch_number(self);
}

/* Bits, and those that a set's items ask of the next character. */
static int32_t
with_items_asks(Automaton *self, int32_t asks, const int32_t *items, int32_t count)
{
    for (; asks >= 0 && count; count--, items++) {
        asks = either(self, asks, self->cache.item[*items].asks);
    }
    return asks;
}

/* Bits, and those that obligations ask of the next character. */
static int32_t
with_obligations_asks(Automaton *self, int32_t asks, int32_t obligations)
{
    const Cache *cache = &self->cache;
    const int32_t *obligation = numbers_key(&cache->obligation_sets, obligations);
    int32_t count = numbers_length(&cache->obligation_sets, obligations);
    for (; count; count--, obligation++) {
        asks = with_items_asks(self, asks, numbers_key(&cache->obligations, *obligation) + 1,
                               numbers_length(&cache->obligations, *obligation) - 1);
    }
    return asks;
}

/* The bits of the next character that matter to an item: those that it asks for itself, and those
   that may be asked for after that. */
static int32_t
item_asks(Automaton *self, const Item *item)
{
    int32_t asks = with_obligations_asks(self, self->behind, item->obligations);
    for (int32_t index = item->first; asks >= 0 && index < item->first + item->count; index++) {
        const Entry *entry = &self->cache.entry[index];
        int32_t asked = condition_asks(self, entry->condition);
        asks = asked < 0 ? asked : either(self, asks, asked);
        asks = asks < 0 ? asks : with_obligations_asks(self, asks, entry->obligations);
    }
    return asks;
}

/* The first entry of a closure by which the pattern has matched there: its index, or NONE. */
static int32_t
certain_entry(const Automaton *self, const Closure *closure)
{
    for (int32_t index = 0; index < closure->count; index++) {
        if (is_certain(self, &self->cache.entry[closure->first + index])) {
            return index;
        }
    }
    return NONE;
}

/* Take an item's entries over from its closure: a match cuts what is less preferred; a lookaround
   may match in any way. */
static int
entries_taken(Automaton *self, Item *item, const Closure *closure)
{
    Cache *cache = &self->cache;
    int32_t certain = item->obligations == NOTHING ? certain_entry(self, closure) : NONE;
    item->accepts = certain != NONE;
    item->first = closure->first;
    item->count = closure->count;
    if (certain == NONE) {
        return 0;
    }
    int32_t place = cache->entry[closure->first + certain].place;
    if (self->cuts && (place == MATCHED || place == self->pending)) {
        item->count = certain;
        return 0;
    }
    if (grown((void **)&cache->entry, &cache->entry_room, (int64_t)cache->entries + closure->count,
              sizeof(Entry)) < 0) {
        return ERROR;
    }
    item->first = cache->entries;
    for (int32_t index = 0; index < closure->count; index++) {
        const Entry entry = cache->entry[closure->first + index];
        if (!is_certain(self, &entry)) {
            cache->entry[cache->entries++] = entry;
        }
    }
    item->count = cache->entries - item->first;
    return 0;
}

/* Number what can become of an item by each of its entries. */
static int
ahead_numbered(Automaton *self, Item *item)
{
    Cache *cache = &self->cache;
    item->ahead = cache->ahead_lists.count;
    item->ahead_count = item->count;
    for (int32_t index = 0; index < item->count; index++) {
        const Entry *entry = &cache->entry[item->first + index];
        int32_t key[4] = {entry->place, entry->condition, entry->obligations, item->obligations};
        int32_t ahead = numbers_of(&cache->aheads, key, 4);
        if (ahead < 0 || ints_push(&cache->ahead_lists, ahead) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Fill an item of which the place, what stands before and the obligations are known. */
static int
item_filled(Automaton *self, Item *item, const Closure *closure)
{
    if (entries_taken(self, item, closure) < 0 || ahead_numbered(self, item) < 0) {
        return ERROR;
    }
    item->alive = item->count > 0;
    item->asks = item_asks(self, item);
    return item->asks < 0 ? ERROR : 0;
}

/* The item at a place; `left` has the bits of what stands before it. */
static int32_t
item_at(Automaton *self, int32_t place, int32_t left, int32_t obligations)
{
    Cache *cache = &self->cache;
    left = behind_of(self, left);
    if (left < 0) {
        return left;
    }
    int32_t number = closure_of(self, place, left);
    if (number < 0) {
        return number;
    }
    const Closure closure = cache->closure[number];
    int32_t key[3] = {place, closure.looked_back ? left : NOTHING, obligations};
    number = numbers_find(&cache->items, key, 3);
    if (number == NONE) {
        Item item = {0};
        item.place = key[0];
        item.left = key[1];
        item.obligations = key[2];
        item.ends = ENDS_UNKNOWN;
        if (item_filled(self, &item, &closure) < 0
            || grown((void **)&cache->item, &cache->item_room, (int64_t)cache->items.count + 1,
                     sizeof(Item)) < 0
            || (number = numbers_of(&cache->items, key, 3)) < 0) {
            return ERROR;
        }
        cache->item[number] = item;
    }
    if (cache->item[number].ends == ENDS_UNKNOWN) {
        cache->item[number].ends = ENDS_ASKED;
        int32_t steps = steps_of(self, number, self->end);
        if (steps < 0) {
            cache->item[number].ends = ENDS_UNKNOWN;
            return steps;
        }
        cache->item[number].ends = cache->step[steps].matched ? ENDS : ENDS_NOT;
    }
    return number;
}

/* The item that an entry leads to: after its character, or where a match only waits for its
   obligations. */
static int32_t
entry_target(Automaton *self, const Entry *entry, int32_t signature, int32_t obligations)
{
    const Place *place = &self->place[entry->place];
    if (place->kind == MATCH) {
        return item_at(self, self->pending, NOTHING, obligations);
    }
    int32_t after = place->after != NONE ? place->after : entry->place;
    return item_at(self, after, signature, obligations);
}

/* Add a way, if its item can go on or has matched; one of the same item before it is preferred. */
static int
way_added(const Automaton *self, Ints *ways, Way way)
{
    int32_t known = 0;
    while (known < ways->count && ways->at[known] != way.item) {
        known += WAY_INTS;
    }
    if (known < ways->count) {
        ways->at[known + 1] |= way.opens && !self->cuts;
        return 0;
    }
    const Item *item = &self->cache.item[way.item];
    if (!item->alive && !item->accepts) {
        return 0;
    }
    return ints_append(ways, (const int32_t *)&way, WAY_INTS) < 0 ? ERROR : 0;
}

/* Find what a character leads an item to; returns whether the pattern has matched before it. */
static int
stepped(Automaton *self, int32_t number, int32_t signature, Ints *ways)
{
    const Item item = self->cache.item[number];
    int matched = 0;
    int32_t kept = obligations_advanced(self, item.obligations, signature);
    if (kept < 0) {
        return kept == UNMET ? 0 : kept;
    }
    for (int32_t index = 0; index < item.count; index++) {
        const Entry entry = self->cache.entry[item.first + index];
        if (!holds(self, entry.condition, signature)) {
            continue;
        }
        int32_t begun = obligations_advanced(self, entry.obligations, signature);
        if (begun == UNMET) {
            continue;
        }
        int32_t obligations = begun < 0 ? begun : obligations_joined(self, kept, begun);
        if (obligations < 0) {
            return obligations;
        }
        int is_match = self->place[entry.place].kind == MATCH;
        if (is_match && obligations == NOTHING) {
            matched = 1;
            if (self->cuts) {
                break;
            }
            continue;
        }
        int32_t target = entry_target(self, &entry, signature, obligations);
        Way way = {target, entry.opens, is_match && entry.place != self->pending};
        if (target < 0 || way_added(self, ways, way) < 0) {
            return target < 0 ? target : ERROR;
        }
    }
    return matched;
}

/* What a character of this signature leads to: the number of steps. */
static int32_t
steps_of(Automaton *self, int32_t item, int32_t signature)
{
    Cache *cache = &self->cache;
    int32_t key[2] = {item, signature};
    int32_t number = numbers_find(&cache->advanced, key, 2);
    if (number != NONE) {
        return number;
    }
    if (self->depth >= MAX_DEPTH) {
        return failed("lookaheads stand too deep within one another");
    }
    Ints ways = {0};
    self->depth++;
    int32_t matched = stepped(self, item, signature, &ways), result = matched;
    self->depth--;
    if (result >= 0
        && (grown((void **)&cache->way, &cache->way_room, (int64_t)cache->ways + ways.count / WAY_INTS,
                  sizeof(Way)) < 0
            || grown((void **)&cache->step, &cache->step_room,
                     (int64_t)cache->advanced.count + 1, sizeof(Steps)) < 0
            || (number = numbers_of(&cache->advanced, key, 2)) < 0)) {
        result = ERROR;
    }
    if (result >= 0) {
        cache->step[number] = (Steps){cache->ways, ways.count / WAY_INTS, matched};
        for (int32_t index = 0; index < ways.count; index += WAY_INTS) {
            Way way = {ways.at[index], ways.at[index + 1], ways.at[index + 2]};
            cache->way[cache->ways++] = way;
        }
        result = number;
    }
    ints_free(&ways);
    return result;
}

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

/* Where candidates began, of one register and fixed distance each. */
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

/* Bits, and that of a lookbehind if it matches after a character with the bits `left`, having come to
   the items of a set. */
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

/* What a lookbehind's own items lead to: a set; those that accept are in it. */
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

/* What the lookbehinds' own items lead to, in `sides`; returns the bits of those that match there.
   `left` are the signature's own bits that are asked of the last character. */
static int32_t
sides_of(Automaton *self, int32_t state, int32_t signature, int32_t left, Ints *sides)
{
    int32_t bits = NOTHING;
    for (int32_t index = 0; bits >= 0 && index < self->behinds.count / 2; index++) {
        /* A lookbehind within builds on those before it. */
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

/* Note an accept. If its group never opened, it is empty: it counts as opened at the end, or at the
   last character where the match may be refused (`Automaton.opened`). */
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

/* Note the accept of a thread whose match is decided by the next character. */
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

/* The least of a candidate's own hold-back and of others. */
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

/* Let the last accept hold for the threads that it cuts, which come back if it is refused; not for
   those that the character ends. */
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

/* Whether all that can become of an item is among what can become of those before it. */
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

/* Let a candidate, and what it has matched, be held from where the first of two that meet at an item
   is. */
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

/* Advance the threads; returns whether a match leaves no room for another beginning. */
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

/* Note that an offset is needed of what comes next. */
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

/* Give the sources numbers, in order, and note what each register is the least of: where that
   stands in the notes, or NONE if all stay as they are. */
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

/* The bits of the next character that matter in a state: to its threads, to what begins there, and
   to the lookbehinds. */
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

/* A state's transition on a class as this pattern tells them apart: the number of an edge. Classes
   that the state does not tell apart share one. */
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

/* The same where a match may begin and the group open, of a class that is new to the state. */
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

/* What the end of the text accepts, if the automaton cuts the first only, in `accepts`. */
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

/* Number the program's own signatures as they were. */
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

/* An old signature as it is numbered now. */
static int32_t
signature_renewed(Automaton *self, const Cache *old, int32_t number)
{
    return numbers_of(&self->cache.signatures, numbers_key(&old->signatures, number), self->words);
}

/* An old item as it is known now. */
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

/* An old state as it is known now. */
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
