/* The matches of one stream that have been accepted and are not settled, by pattern. */

#ifndef GUARDSTREAM_MATCHES_H
#define GUARDSTREAM_MATCHES_H

#include "memory.h"

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

/* A pattern's open matches, the oldest first; those before `head` have been taken. While an older
   candidate lives on, there may be as many as the text has characters. */
typedef struct {
    OpenMatch *at;
    int32_t pattern, head, count, room;
    int32_t waiting; /* how many of them are not written, so that text may wait for them */
} Pile;

/* The first `count` piles are of patterns with open matches; the others only keep their memory. */
typedef struct {
    Pile *at;
    int32_t count, room;
} Piles;

static int
matches_push(OpenMatches *all, const OpenMatch *match)
{
    if (grown((void **)&all->at, &all->room, (int64_t)all->count + 1, sizeof(OpenMatch)) < 0) {
        return ERROR;
    }
    all->at[all->count++] = *match;
    return 0;
}

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

/* If a pile is empty, move it behind the others; those after it move up by one. */
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

/* Make room for one more match: if more than half of them were taken, in the place of these. */
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

/* How many matches there are from the oldest that text waits for to the newest. It counts from the
   newest back, so it does not reach old ones that have overflowed. */
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

/* Insert a match among those of its pattern, in order, unless it is there already. */
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

#endif
