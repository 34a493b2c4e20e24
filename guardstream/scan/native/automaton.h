/* What one pattern's automaton consists of: its places, as Python compiles them, and a cache of what
   has been built of it. `closure.h` builds items, `dfa.h` states and transitions.

   A list is where it begins in a table, and its length; a set is the number of its key, and so is a
   signature, a condition or an obligation. */

#ifndef GUARDSTREAM_AUTOMATON_H
#define GUARDSTREAM_AUTOMATON_H

#include "memory.h"

/* What a function may return besides ERROR. */
#define WANTED (-2)   /* first a place has to be known: `wanted` says which */
#define UNMET (-3)    /* an obligation has failed */
#define TOO_MANY (-5) /* a state would have too many threads */

/* The first place of a `Program`: here the pattern itself has matched, not a lookaround. */
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
    int32_t ahead, ahead_count; /* its continuations */
    int32_t asks;               /* the bits of the next character that matter to it */
    uint8_t accepts, alive, ends;
} Item;

/* The epsilon closure of a place, given the bits that hold before it. */
typedef struct {
    int32_t first, count; /* its entries */
    int32_t looked_back;  /* whether it depends on these bits */
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

/* What is forgotten when it grows too large. Fields that every character needs come together. */
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
    int doubled; /* how often its part of the machine's limit has doubled */
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

#endif
