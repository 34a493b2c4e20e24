/* Growing arrays, and tables that number what they are given: equal keys have equal numbers.

   All sizes are checked against MAX_INTS, all allocations for failure. A function that can fail
   returns a number below 0: ERROR with a Python error set, or WANTED (see automaton.h). Where NONE is
   an answer, the error is BROKEN.

   All streams share the tables, and memory may run out anywhere. So a table makes room first, and
   is changed only when nothing can fail any more; what it has is found without memory. What was
   appended before a failure, and has no number, nobody will look at. */

#ifndef GUARDSTREAM_MEMORY_H
#define GUARDSTREAM_MEMORY_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE (-1)
#define ERROR (-1)
#define BROKEN (-4) /* below WANTED and UNMET */
#define MAX_INTS (1 << 28)
#define FIRST_BYTES 32 /* that are taken at first: a stream has many lists with hardly an item */

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))
#define INTS_IN(type) ((int32_t)(sizeof(type) / sizeof(int32_t))) /* of a struct of ints alone */
#define INTS_BEFORE(type, member) ((int32_t)(offsetof(type, member) / sizeof(int32_t)))

static int
failed(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return ERROR;
}

/* Make room for `needed` items. There is room for none, or for a power of two: hash tables look for
   their slots by that. */
static int
grown(void **items, int32_t *room, int64_t needed, size_t size)
{
    if (needed <= *room) {
        return 0;
    }
    if (needed > MAX_INTS) {
        PyErr_SetString(PyExc_OverflowError, "a table of the search is too large");
        return ERROR;
    }
    int32_t more = *room ? *room : 1;
    while (more < needed || 2 * (size_t)more * size <= FIRST_BYTES) {
        more *= 2;
    }
    void *moved =
        (size_t)more > SIZE_MAX / size ? NULL : PyMem_Realloc(*items, (size_t)more * size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    *items = moved;
    *room = more;
    return 0;
}

/* --- a list of ints ----------------------------------------------------------------------- */

typedef struct {
    int32_t *at;
    int32_t count, room;
} Ints;

static int
ints_push(Ints *ints, int32_t value)
{
    if (grown((void **)&ints->at, &ints->room, (int64_t)ints->count + 1, sizeof(int32_t)) < 0) {
        return ERROR;
    }
    ints->at[ints->count++] = value;
    return 0;
}

/* Append ints that stand elsewhere; returns where they begin. */
static int32_t
ints_append(Ints *ints, const int32_t *values, int32_t count)
{
    if (grown((void **)&ints->at, &ints->room, (int64_t)ints->count + count + 1,
              sizeof(int32_t)) < 0) {
        return ERROR;
    }
    if (count) {
        memcpy(ints->at + ints->count, values, (size_t)count * sizeof(int32_t));
    }
    ints->count += count;
    return ints->count - count;
}

/* Set one of a list that is as long as it has to be; what is new in it is NONE. */
static int
ints_set(Ints *ints, int32_t index, int32_t value)
{
    while (ints->count <= index) {
        if (ints_push(ints, NONE) < 0) {
            return ERROR;
        }
    }
    ints->at[index] = value;
    return 0;
}

static int32_t
ints_get(const Ints *ints, int32_t index)
{
    return index < ints->count ? ints->at[index] : NONE;
}

static void
ints_free(Ints *ints)
{
    PyMem_Free(ints->at);
    memset(ints, 0, sizeof(*ints));
}

static int
int_order(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* Sort ints and leave each there once; returns how many are left. */
static int32_t
ints_unique(int32_t *values, int32_t count)
{
    int32_t kept = 0;
    if (count > 1) {
        qsort(values, (size_t)count, sizeof(int32_t), int_order);
    }
    for (int32_t index = 0; index < count; index++) {
        if (!kept || values[kept - 1] != values[index]) {
            values[kept++] = values[index];
        }
    }
    return kept;
}

/* --- numbers for keys --------------------------------------------------------------------- */

/* An entry of a hash table: a number with the hash of its key, so that other keys are told apart
   without a look at them. The number of a free slot is NONE. */
typedef struct {
    uint32_t hash;
    int32_t number;
} Slot;

/* The keys are lists of ints and stand one after the other in `pool`; that of number n begins at
   `first[n]` and ends at `first[n + 1]`. `slots` is an open hash table. */
typedef struct {
    Ints pool, first;
    Slot *slots;
    int32_t slot_room, count;
} Numbers;

/* Two ints at once are mixed in: each step waits for the one before. */
static uint32_t
hash_of(const int32_t *key, int32_t length)
{
    uint64_t hash = 0xCBF29CE484222325u ^ (uint64_t)length;
    int32_t index = 0;
    for (; index + 1 < length; index += 2) {
        hash ^= (uint32_t)key[index] | (uint64_t)(uint32_t)key[index + 1] << 32;
        hash *= 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    if (index < length) {
        hash = (hash ^ (uint32_t)key[index]) * 0x9E3779B97F4A7C15u;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

static const int32_t *
numbers_key(const Numbers *numbers, int32_t number)
{
    return numbers->pool.at + numbers->first.at[number];
}

static int32_t
numbers_length(const Numbers *numbers, int32_t number)
{
    return numbers->first.at[number + 1] - numbers->first.at[number];
}

static Slot *
numbers_slot(const Numbers *numbers, const int32_t *key, int32_t length, uint32_t hash)
{
    uint32_t mask = (uint32_t)numbers->slot_room - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        Slot *slot = &numbers->slots[at];
        if (slot->number == NONE
            || (slot->hash == hash && numbers_length(numbers, slot->number) == length
                && !memcmp(numbers_key(numbers, slot->number), key,
                           (size_t)length * sizeof(int32_t)))) {
            return slot;
        }
    }
}

/* Keep half of the slots free. */
static int
numbers_rehash(Numbers *numbers)
{
    if (2 * (numbers->count + 1) <= numbers->slot_room) {
        return 0;
    }
    Slot *old = numbers->slots;
    int32_t room = numbers->slot_room;
    numbers->slots = NULL;
    numbers->slot_room = 0;
    if (grown((void **)&numbers->slots, &numbers->slot_room, 2 * ((int64_t)numbers->count + 1),
              sizeof(Slot)) < 0) {
        numbers->slots = old;
        numbers->slot_room = room;
        return ERROR;
    }
    memset(numbers->slots, 0xFF, (size_t)numbers->slot_room * sizeof(Slot));
    uint32_t mask = (uint32_t)numbers->slot_room - 1;
    for (const Slot *slot = old; slot < old + room; slot++) {
        if (slot->number != NONE) {
            uint32_t at = slot->hash & mask;
            while (numbers->slots[at].number != NONE) {
                at = (at + 1) & mask;
            }
            numbers->slots[at] = *slot;
        }
    }
    PyMem_Free(old);
    return 0;
}

/* The number of a key with this hash, NONE if it has none. */
static int32_t
numbers_known(const Numbers *numbers, const int32_t *key, int32_t length, uint32_t hash)
{
    return numbers->slot_room ? numbers_slot(numbers, key, length, hash)->number : NONE;
}

/* The number of a key, which must not stand in the table's own pool; a new one is the count. Of a
   key that has a number this does not fail. */
static int32_t
numbers_of(Numbers *numbers, const int32_t *key, int32_t length)
{
    uint32_t hash = hash_of(key, length);
    int32_t known = numbers_known(numbers, key, length, hash);
    if (known != NONE) {
        return known;
    }
    Ints *pool = &numbers->pool, *first = &numbers->first;
    if (numbers_rehash(numbers) < 0
        || grown((void **)&first->at, &first->room, (int64_t)first->count + 2, sizeof(int32_t)) < 0
        || ints_append(pool, key, length) < 0) {
        return ERROR;
    }
    if (!first->count) {
        first->at[first->count++] = 0;
    }
    first->at[first->count++] = pool->count;
    *numbers_slot(numbers, key, length, hash) = (Slot){hash, numbers->count};
    return numbers->count++;
}

/* The number of a set of ints; they are put in order. */
static int32_t
set_of(Numbers *sets, Ints *members)
{
    int32_t none = 0; /* an empty list may have no memory yet */
    int32_t count = ints_unique(members->at, members->count);
    return numbers_of(sets, count ? members->at : &none, count);
}

/* The number of a key, NONE if it has none. */
static int32_t
numbers_find(const Numbers *numbers, const int32_t *key, int32_t length)
{
    return numbers_known(numbers, key, length, hash_of(key, length));
}

static void
numbers_free(Numbers *numbers)
{
    ints_free(&numbers->pool);
    ints_free(&numbers->first);
    PyMem_Free(numbers->slots);
    numbers->slots = NULL;
    numbers->slot_room = numbers->count = 0;
}

static int64_t
numbers_bytes(const Numbers *numbers)
{
    return (int64_t)sizeof(int32_t)
        * ((int64_t)numbers->pool.room + numbers->first.room)
        + (int64_t)sizeof(Slot) * numbers->slot_room;
}

#endif
