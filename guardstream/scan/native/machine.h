/* What all streams of a set of patterns share: the classes of characters, each pattern's automaton,
   and for each pair of classes which sleeping patterns wake (`machine.Machine`). */

#ifndef GUARDSTREAM_MACHINE_H
#define GUARDSTREAM_MACHINE_H

#include "characters.h"
#include "dfa.h"
#include "joints.h"

#define MAX_SHARE 8   /* an automaton that takes more than this part of the limit is flushed alone */
#define FEW_EDGES 256 /* if fewer take its part, that doubles: else each character might flush it */
#define JOINT_SHARE 4 /* joint states may take this part of the limit in addition */
#define WAKE_SHARE 4  /* so may what wakes, with the classes that only lookbehinds tell apart */

#define TOLD_BYTES 4096 /* about what such a class takes, with all that is known of it */

#define BEGIN 0 /* the class before a text's first character */

/* How a pattern's matches are treated: the flags of `machine.Handling`, in its order. */
#define HOLDS 1 /* text waits for its candidates */
#define EAGER 2 /* each accept is a match at once */
#define LOOSE 4 /* every accept is kept until one is confirmed */
#define PLAIN 8 /* its match is certain once nothing older lives */

/* What a character may ask for: attention (`match.Steps`), or only that certain matches are taken. As
   in `words/forms.py`. */
#define DUE 1
#define CERTAIN 2

/* Why a stream refuses to be read. */
#define READS "a stream is read by one reader at a time"
#define HAS_FAILED "a search that has failed cannot go on"

typedef struct {
    int32_t pattern;
    Edge edge;
} Wake;

typedef struct {
    int32_t first, count;
} Span;

/* An edge that a pattern follows on the character that is read. */
typedef struct {
    Edge edge;
    int32_t pattern, registers; /* where its registers begin */
} Followed;

typedef struct stream Stream;

typedef struct {
    PyObject_HEAD
    Characters *characters;
    PyObject *load;     /* (pattern) -> its program */
    PyObject *more;     /* (pattern, place) -> this place, and more of them */
    int32_t patterns, words;
    int32_t lookbehinds; /* automata from this number on are lookbehinds of several patterns */
    Ints tells;          /* by such a lookbehind: its bit */
    Ints told;           /* the bits of those that match after the character that is being read */
    uint8_t *flags;
    Ints labels, tails; /* the label and the tail of each pattern: see `Handling` */
    Automaton *automata;
    Bench bench;
    uint16_t *pages[PAGES];
    uint32_t *kept;        /* the bits by which characters are told apart; the other bits are 0 */
    uint32_t *scratch;
    Numbers classes;       /* of such signatures: the first is BEGIN */
    int32_t told_classes;  /* how many of them only lookbehinds tell apart */
    Ints class_of;         /* by the number of a signature of `characters` */
    Ints firsts, first_at; /* conditions of a match's first character: see `may_begin` */
    Ints starters;         /* the patterns that may begin with a class: */
    Span *starting;        /* where these stand, by class */
    int32_t starting_room;
    Ints kind_of; /* by class: the kind that sleeping patterns see in it afterwards */
    Numbers kinds;
    uint32_t *asked; /* the bits that some pattern asks the last character for */
    Ints *woken;     /* by kind and class, a span of `wake`, or NONE */
    int32_t woken_count;
    int64_t woken_ints; /* for how many pairs there is room in all kinds */
    Wake *wake;
    Span *span;
    int32_t wakes, wake_room, spans, span_room;
    uint16_t **locals; /* by class and pattern: the class as the pattern tells them apart, or
                          MISSING; what is awake asks for neighbours */
    int32_t local_room;
    int32_t *awake; /* by pattern: when a character has last found it awake */
    int32_t clock;
    int32_t wanted; /* the pattern that something is WANTED for, or that has too many threads */
    int64_t bytes, limit;
    int full; /* something has to be flushed before the next character */
    Runs next; /* where a stream's runs lead, while a character is read */
    Followed *followed; /* and by which edges */
    int32_t followed_room;
    Joints joints;
    Stream *streams;
} Machine;

static int streams_renew(Machine *self, int32_t pattern, const Cache *old);
static int streams_leave(Machine *self);
static int streams_reclass(Machine *self, const Numbers *old);

/* --- reading what Python gives of a pattern -------------------------------------------------- */

/* Take conditions, each with the bits that must be set and those that must not; `numbers` receives
   the number of each here. */
static int
conditions_taken(Automaton *self, PyObject *given, Ints *numbers)
{
    Ints rows = {0};
    int result = ints_taken(given, &rows);
    int32_t length = 2 * self->words;
    if (result == 0 && rows.count % length) {
        result = failed("a table of the search is cut off");
    }
    for (int32_t row = 0; result == 0 && row < rows.count; row += length) {
        int32_t number = numbers_of(&self->conditions, rows.at + row, length);
        result = number < 0 ? ERROR : ints_push(numbers, number);
    }
    ints_free(&rows);
    return result;
}

/* Take one place; `row` has its number and its fields, `before` is how many ways were known. */
static int
place_taken(Automaton *self, const int32_t *row, const Ints *conditions, int32_t before)
{
    Place place;
    memcpy(&place, row + 1, sizeof(Place));
    if (!is_within(row[0], 0, self->places) || !is_within(place.kind, CHAR, MATCH + 1)
        || !is_within(place.condition, 0, conditions->count)
        || !is_within(place.after, NONE, self->places)
        || !is_within(place.out, NONE, self->places)
        || !is_within(place.aside, NONE, self->places)
        || !is_within(place.distance, INT32_MIN, MAX_INTS)
        || !is_within(place.opened, INT32_MIN, MAX_INTS)
        || !is_within(place.first, 0, self->ways.count - before + 1)
        || !is_within(place.count, 0, self->ways.count - before - place.first + 1)) {
        return ERROR;
    }
    place.first += before;
    place.condition = conditions->at[place.condition];
    /* Nobody asks for the distance of a place that no thread reaches, or before its group opens. */
    place.distance = place.distance < 0 ? VARIABLE : place.distance;
    place.opened = place.opened < 0 ? VARIABLE : place.opened;
    if (self->place[row[0]].kind == UNKNOWN) {
        self->place[row[0]] = place;
    }
    return 0;
}

/* Take places: (how many have a number, conditions, rows, ways); `rows` of PLACE_INTS name the
   others. The same place may come twice, by way of two threads. */
static int
places_taken(Automaton *self, PyObject *given)
{
    PyObject *conditions, *places, *ways;
    Ints numbers = {0}, rows = {0};
    int32_t before = self->ways.count, count;
    if (!PyTuple_Check(given)) {
        return failed("places must be a tuple");
    }
    if (!PyArg_ParseTuple(given, "iSSS", &count, &conditions, &places, &ways)) {
        return ERROR;
    }
    int result = ints_taken(ways, &self->ways) < 0 || ints_taken(places, &rows) < 0
            || conditions_taken(self, conditions, &numbers) < 0
            || grown((void **)&self->place, &self->place_room, (int64_t)count + 1,
                     sizeof(Place)) < 0
        ? ERROR
        : 0;
    if (result == 0 && rows.count % PLACE_INTS) {
        result = failed("a table of the search is cut off");
    }
    for (; result == 0 && self->places < count; self->places++) {
        memset(&self->place[self->places], 0, sizeof(Place));
    }
    for (int32_t way = before; result == 0 && way < self->ways.count; way++) {
        result = is_within(self->ways.at[way], 0, self->places) ? 0 : ERROR;
    }
    for (int32_t row = 0; result == 0 && row < rows.count; row += PLACE_INTS) {
        result = place_taken(self, rows.at + row, &numbers, before);
    }
    ints_free(&numbers);
    ints_free(&rows);
    return result;
}

/* Number a signature of the pattern's own bits. */
static int32_t
signature_taken(Automaton *self, PyObject *given)
{
    Ints bits = {0};
    int32_t number = ints_taken(given, &bits) < 0 ? ERROR
        : bits.count != self->words               ? failed("a table of the search is cut off")
                                    : numbers_of(&self->cache.signatures, bits.at, self->words);
    ints_free(&bits);
    return number;
}

/* Give each lookbehind's bit the number of a signature. */
static int
behinds_numbered(Automaton *self)
{
    for (int32_t index = 0; index < self->behinds.count; index += 2) {
        int32_t bit = self->behinds.at[index + 1];
        if (!is_within(self->behinds.at[index], 0, self->places)
            || !is_within(bit, 0, self->bits.count)) {
            return ERROR;
        }
        memset(self->scratch, 0, (size_t)self->words * sizeof(uint32_t));
        self->scratch[bit / 32] = 1u << (bit % 32);
        self->behinds.at[index + 1] = scratch_number(self);
        if (self->behinds.at[index + 1] < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Take a pattern's program: (bits, places, lookbehinds, first, pending, group, cuts, least_hold,
   most_threads, behind, looks, last, tells, end). */
static int
program_taken(Automaton *self, PyObject *given, int32_t bits)
{
    PyObject *own, *places, *behinds, *behind, *looks, *last, *tells, *end;
    if (!PyArg_ParseTuple(given, "SOSiipppiSSSSS", &own, &places, &behinds, &self->first,
                          &self->pending, &self->group, &self->cuts, &self->least_hold,
                          &self->most_threads, &behind, &looks, &last, &tells, &end)
        || ints_taken(own, &self->bits) < 0) {
        return ERROR;
    }
    self->words = (self->bits.count + 31) / 32;
    self->scratch = PyMem_Calloc(2 * (size_t)self->words + 1, sizeof(uint32_t));
    if (self->scratch == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    for (int32_t index = 0; index < self->bits.count; index++) {
        if (!is_within(self->bits.at[index], 0, bits)) {
            return ERROR;
        }
    }
    /* The scratch has no bits yet: the first signature is NOTHING, the first condition FREE. */
    if (self->words < 1 || scratch_number(self) < 0
        || numbers_of(&self->conditions, (int32_t *)self->scratch, 2 * self->words) < 0
        || places_taken(self, places) < 0
        || ints_taken(behinds, &self->behinds) < 0
        || (self->behind = signature_taken(self, behind)) < 0
        || (self->looks = signature_taken(self, looks)) < 0
        || (self->last = signature_taken(self, last)) < 0
        || (self->tells = signature_taken(self, tells)) < 0
        || (self->end = signature_taken(self, end)) < 0) {
        return PyErr_Occurred() ? ERROR : failed("a program has no bits");
    }
    if (self->behinds.count % 2 || !is_within(self->first, 0, self->places)
        || !is_within(self->pending, 0, self->places)) {
        return PyErr_Occurred() ? ERROR : failed("a table of the search is cut off");
    }
    if (behinds_numbered(self) < 0) {
        return ERROR;
    }
    self->named = self->cache.signatures.count;
    return cache_start(&self->cache);
}

static int
machine_load(Machine *self, int32_t pattern)
{
    PyObject *given = PyObject_CallFunction(self->load, "i", pattern);
    Automaton *automaton = &self->automata[pattern];
    if (given == NULL) {
        return ERROR;
    }
    /* Another thread may have been faster. */
    int result = automaton->loaded ? 0 : ERROR;
    if (result && PyTuple_Check(given)) {
        result = program_taken(automaton, given, 32 * self->words);
        automaton->bench = &self->bench;
        if (result < 0) {
            automaton_free(automaton);
            memset(automaton, 0, sizeof(*automaton));
        }
        else {
            automaton->loaded = 1;
        }
    }
    Py_DECREF(given);
    if (result < 0 && !PyErr_Occurred()) {
        failed("a program must be a tuple");
    }
    return result;
}

/* Ask for a place that is not known, and those around it. */
static int
machine_more(Machine *self, int32_t pattern)
{
    Automaton *automaton = &self->automata[pattern];
    int32_t place = automaton->wanted;
    PyObject *given = PyObject_CallFunction(self->more, "ii", pattern, place);
    int result = given == NULL ? ERROR : places_taken(automaton, given);
    Py_XDECREF(given);
    if (result == 0 && automaton->place[place].kind == UNKNOWN) {
        return failed("a place of a pattern is missing");
    }
    return result;
}

/* Get what was WANTED; Python runs, so that other streams may be read meanwhile. */
static int
machine_fetch(Machine *self)
{
    int32_t pattern = self->wanted;
    return self->automata[pattern].loaded ? machine_more(self, pattern)
                                          : machine_load(self, pattern);
}

/* --- classes of characters ------------------------------------------------------------------ */

static const uint32_t *
class_bits(const Machine *self, int32_t class)
{
    return (const uint32_t *)numbers_key(&self->classes, class);
}

/* The class of a character, MISSING as long as it is not known. */
static inline int32_t
known_class(const Machine *self, Py_UCS4 code)
{
    const uint16_t *page = code < 0x110000 ? self->pages[code / PAGE] : NULL;
    return page == NULL ? MISSING : page[code % PAGE];
}

/* The class of the characters whose signature has this number. */
static int32_t
class_made(Machine *self, int32_t number)
{
    int32_t known = ints_get(&self->class_of, number);
    if (known != NONE) {
        return known;
    }
    const uint32_t *bits = signature_bits(self->characters, number);
    for (int32_t word = 0; word < self->words; word++) {
        self->scratch[word] = bits[word] & self->kept[word];
    }
    int32_t class = numbers_of(&self->classes, (int32_t *)self->scratch, self->words);
    return class < 0 || !is_within(class, 0, MAX_CLASSES)
            || ints_set(&self->class_of, number, class) < 0
        ? ERROR
        : class;
}

/* The class of a character; ERROR with an error set. Neighbours whose class is known are entered,
   too. */
static int32_t
machine_class(Machine *self, Py_UCS4 code)
{
    int32_t known = known_class(self, code);
    if (known != MISSING) {
        return known;
    }
    int32_t number = characters_number(self->characters, code);
    int32_t class = number < 0 ? ERROR : class_made(self, number);
    uint16_t *page = class < 0 ? NULL : page_of(self->pages, code);
    if (page == NULL) {
        return ERROR;
    }
    const uint16_t *numbers = self->characters->pages[code / PAGE];
    for (int32_t index = 0; index < PAGE; index++) {
        int32_t beside = ints_get(&self->class_of, numbers[index]);
        page[index] = beside == NONE ? MISSING : (uint16_t)beside;
    }
    return class;
}

/* Whether there are too many classes that only lookbehinds tell apart: a text may bring as many as
   there are combinations of lookbehinds. */
static int
has_many_told(const Machine *self)
{
    return (int64_t)TOLD_BYTES * self->told_classes > self->limit / WAKE_SHARE;
}

/* The class of a character with the bits in `told`; without them it is `class`. */
static int32_t
machine_told(Machine *self, int32_t class)
{
    if (!self->told.count) {
        return class;
    }
    memcpy(self->scratch, class_bits(self, class), (size_t)self->words * sizeof(uint32_t));
    for (int32_t index = 0; index < self->told.count; index++) {
        int32_t bit = self->told.at[index];
        self->scratch[bit / 32] |= 1u << (bit % 32);
    }
    int32_t known = self->classes.count;
    int32_t found = numbers_of(&self->classes, (int32_t *)self->scratch, self->words);
    if (found == known) {
        self->told_classes++;
        self->full = self->full || has_many_told(self);
    }
    return found < 0 || !is_within(found, 0, MAX_CLASSES) ? ERROR : found;
}

/* Note that a lookbehind matches in a state, if it does. */
static int
machine_tells(Machine *self, int32_t pattern, int32_t state)
{
    if (!self->automata[pattern].cache.state[state].told) {
        return 0;
    }
    return ints_push(&self->told, self->tells.at[pattern - self->lookbehinds]) < 0 ? ERROR : 0;
}

/* The class as each pattern sees it, a row with one for each; NULL with an error set. */
static uint16_t *
machine_locals(Machine *self, int32_t class)
{
    int32_t known = self->local_room;
    if (class < known && self->locals[class] != NULL) {
        return self->locals[class];
    }
    if (grown((void **)&self->locals, &self->local_room, (int64_t)class + 1,
              sizeof(uint16_t *)) < 0) {
        return NULL;
    }
    for (; known < self->local_room; known++) {
        self->locals[known] = NULL;
    }
    size_t size = (size_t)self->patterns * sizeof(uint16_t);
    uint16_t *row = PyMem_Malloc(size + 1);
    if (row == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memset(row, 0xFF, size);
    return self->locals[class] = row;
}

/* Number a class as one pattern tells them apart. */
static int32_t
local_made(Machine *self, int32_t pattern, int32_t class)
{
    Automaton *automaton = &self->automata[pattern];
    const uint32_t *bits = class_bits(self, class);
    memset(automaton->scratch, 0, (size_t)automaton->words * sizeof(uint32_t));
    for (int32_t index = 0; index < automaton->bits.count; index++) {
        int32_t bit = automaton->bits.at[index];
        automaton->scratch[index / 32] |= ((bits[bit / 32] >> (bit % 32)) & 1u) << (index % 32);
    }
    int32_t signature = scratch_number(automaton);
    int32_t local = signature < 0 ? ERROR : ints_get(&automaton->cache.local_of, signature);
    if (signature >= 0 && local == NONE) {
        local = automaton->cache.local_signature.count;
        if (local == MISSING) {
            return failed("a pattern tells too many classes of characters apart");
        }
        if (ints_push(&automaton->cache.local_signature, signature) < 0
            || ints_set(&automaton->cache.local_of, signature, local) < 0) {
            return ERROR;
        }
        self->full = self->full || local >= MAX_CLASSES;
    }
    return local;
}

static int32_t
machine_local(Machine *self, int32_t pattern, int32_t class)
{
    uint16_t *locals = machine_locals(self, class);
    if (locals == NULL) {
        return ERROR;
    }
    if (locals[pattern] == MISSING) {
        int32_t local = local_made(self, pattern, class);
        if (local < 0) {
            return ERROR;
        }
        locals[pattern] = (uint16_t)local;
    }
    return locals[pattern];
}

/* --- transitions and their bound ------------------------------------------------------------ */

/* How many bytes an automaton may take before it is flushed alone. */
static inline int64_t
automaton_limit(const Machine *self, const Automaton *automaton)
{
    return self->limit / MAX_SHARE << automaton->doubled;
}

static void
machine_count(Machine *self, Automaton *automaton)
{
    int64_t bytes = cache_bytes(&automaton->cache);
    self->bytes += bytes - automaton->bytes;
    automaton->bytes = bytes;
    self->full =
        self->full || self->bytes > self->limit || bytes > automaton_limit(self, automaton);
}

/* A state's transition on a class of its pattern: an edge's number, or NONE. */
static inline int32_t
known_edge(const Automaton *automaton, int32_t number, int32_t local)
{
    const Row row = automaton->cache.row[number];
    return local < row.count ? automaton->cache.rows.at[row.first + local] : NONE;
}

/* A state's transition on a class: an edge's number, ERROR, or WANTED or TOO_MANY; then `wanted` is
   the pattern. */
static int32_t
machine_edge(Machine *self, int32_t pattern, int32_t number, int32_t class)
{
    Automaton *automaton = &self->automata[pattern];
    int32_t local = machine_local(self, pattern, class);
    int32_t known = local < 0 ? local : known_edge(automaton, number, local);
    if (local < 0 || known != NONE) {
        return known;
    }
    int32_t edge = edge_of(automaton, number, local);
    machine_count(self, automaton);
    self->wanted = pattern;
    return edge;
}

static void
wakes_forget(Machine *self)
{
    for (int32_t kind = 0; kind < self->woken_count; kind++) {
        ints_free(&self->woken[kind]);
    }
    PyMem_Free(self->wake);
    PyMem_Free(self->span);
    self->wake = NULL;
    self->span = NULL;
    self->wakes = self->wake_room = self->spans = self->span_room = 0;
    self->woken_ints = 0;
}

static int64_t
wakes_bytes(const Machine *self)
{
    return (int64_t)sizeof(Wake) * self->wake_room + (int64_t)sizeof(Span) * self->span_room
        + (int64_t)sizeof(int32_t) * self->woken_ints;
}

static int
has_many_wakes(const Machine *self)
{
    return wakes_bytes(self) > self->limit / WAKE_SHARE;
}

static int
joints_forget(Machine *self)
{
    int result = streams_leave(self);
    joints_free(&self->joints);
    return result;
}

/* Forget as what a pattern tells classes apart. */
static void
locals_forget(Machine *self, int32_t pattern)
{
    for (int32_t class = 0; class < self->local_room; class++) {
        if (self->locals[class] != NULL) {
            self->locals[class][pattern] = MISSING;
        }
    }
}

/* Forget all classes and what is known of them; each stream keeps the one that it has read last. It
   fails as `machine_flush` does. */
static int
classes_forget(Machine *self)
{
    Numbers begun = {0}, old = self->classes;
    if (numbers_of(&begun, numbers_key(&old, BEGIN), self->words) < 0) {
        numbers_free(&begun);
        return ERROR;
    }
    int result = joints_forget(self);
    wakes_forget(self);
    for (int32_t class = 0; class < self->local_room; class++) {
        PyMem_Free(self->locals[class]);
        self->locals[class] = NULL;
    }
    for (int32_t class = 0; class < self->starting_room; class++) {
        self->starting[class].first = NONE;
    }
    pages_free(self->pages);
    memset(self->pages, 0, sizeof(self->pages));
    numbers_free(&self->kinds);
    self->starters.count = self->kind_of.count = self->class_of.count = 0;
    self->classes = begun;
    self->told_classes = 0;
    if (streams_reclass(self, &old) < 0) {
        result = ERROR;
    }
    numbers_free(&old);
    return result;
}

/* Forget an automaton's states; the streams keep those they are in. Where that fails before the new
   cache is begun, nothing is forgotten; where it fails after that, some streams are broken. */
static int
machine_flush(Machine *self, int32_t pattern)
{
    Automaton *automaton = &self->automata[pattern];
    Cache old = automaton->cache;
    if (old.edges.count < FEW_EDGES && 2 << automaton->doubled <= MAX_SHARE
        && automaton->bytes > automaton_limit(self, automaton)) {
        automaton->doubled++;
    }
    memset(&automaton->cache, 0, sizeof(Cache));
    if (cache_start(&automaton->cache) < 0 || signatures_named(automaton, &old) < 0) {
        cache_free(&automaton->cache);
        automaton->cache = old;
        return ERROR;
    }
    locals_forget(self, pattern);
    wakes_forget(self);
    int result = joints_forget(self);
    if (streams_renew(self, pattern, &old) < 0) {
        result = ERROR;
    }
    cache_free(&old);
    machine_count(self, automaton);
    return result;
}

/* Whether an automaton takes too large a part of the limit, or its pattern has nearly as many classes
   as can be numbered. */
static int
is_too_large(const Machine *self, const Automaton *automaton)
{
    return automaton->bytes > automaton_limit(self, automaton)
        || automaton->cache.local_signature.count > MAX_CLASSES;
}

/* Flush what has grown too large: one automaton, or all; what wakes; or the classes. Classes that are
   kept get other numbers. */
static int
machine_bound(Machine *self)
{
    int all = self->bytes > self->limit;
    int result = has_many_told(self) ? classes_forget(self) : 0;
    if (has_many_wakes(self)) {
        wakes_forget(self);
    }
    for (int32_t pattern = 0; pattern < self->patterns; pattern++) {
        const Automaton *automaton = &self->automata[pattern];
        if (automaton->loaded && (all || is_too_large(self, automaton))
            && machine_flush(self, pattern) < 0) {
            result = ERROR;
        }
    }
    self->full = result < 0; /* what is left too large is tried again */
    return result;
}

/* --- waking --------------------------------------------------------------------------------- */

/* Whether a match may begin with a class. A pattern's conditions come one after the other: how many
   bits must be set, these, how many must not, these; after the last, -1. */
static int
may_begin(const Machine *self, int32_t pattern, const uint32_t *bits)
{
    const int32_t *at = self->firsts.at + self->first_at.at[pattern];
    while (*at != NONE) {
        int fits = 1;
        for (int want = 1; want >= 0; want--) {
            int32_t count = *at++;
            for (; count; count--, at++) {
                fits = fits && (int)((bits[*at / 32] >> (*at % 32)) & 1u) == want;
            }
        }
        if (fits) {
            return 1;
        }
    }
    return 0;
}

/* The patterns that may begin with a class. */
static int
machine_starting(Machine *self, int32_t class, Span *span)
{
    int32_t known = self->starting_room;
    if (grown((void **)&self->starting, &self->starting_room, (int64_t)class + 1,
              sizeof(Span)) < 0) {
        return ERROR;
    }
    for (; known < self->starting_room; known++) {
        self->starting[known].first = NONE;
    }
    if (self->starting[class].first == NONE) {
        int32_t first = self->starters.count;
        for (int32_t pattern = 0; pattern < self->patterns; pattern++) {
            if (may_begin(self, pattern, class_bits(self, class))
                && ints_push(&self->starters, pattern) < 0) {
                return ERROR;
            }
        }
        self->starting[class].first = first;
        self->starting[class].count = self->starters.count - first;
    }
    *span = self->starting[class];
    return 0;
}

/* The kind of a class: what the sleeping patterns ask of it after it. */
static int32_t
machine_kind(Machine *self, int32_t class)
{
    int32_t kind = ints_get(&self->kind_of, class);
    if (kind != NONE) {
        return kind;
    }
    Ints bits = {0};
    for (int32_t word = 0; word < self->words; word++) {
        uint32_t asked = class_bits(self, class)[word] & self->asked[word];
        if (ints_push(&bits, (int32_t)asked) < 0) {
            ints_free(&bits);
            return ERROR;
        }
    }
    kind = numbers_of(&self->kinds, bits.at, bits.count);
    ints_free(&bits);
    int32_t known = self->woken_count;
    if (kind < 0
        || grown((void **)&self->woken, &self->woken_count, (int64_t)kind + 1, sizeof(Ints)) < 0) {
        return ERROR;
    }
    for (; known < self->woken_count; known++) {
        memset(&self->woken[known], 0, sizeof(Ints));
    }
    return ints_set(&self->kind_of, class, kind) < 0 ? ERROR : kind;
}

/* The state of a pattern without candidates after a class; WANTED if its program is not known. */
static int32_t
machine_idle(Machine *self, int32_t pattern, int32_t class)
{
    Automaton *automaton = &self->automata[pattern];
    self->wanted = pattern;
    if (!automaton->loaded) {
        return WANTED;
    }
    int32_t local = machine_local(self, pattern, class);
    return local < 0 ? ERROR : idle_state(automaton, automaton->cache.local_signature.at[local]);
}

/* The patterns that a class wakes after one of a kind, with their transitions: the number of a
   span. */
static int32_t
wakes_made(Machine *self, int32_t last, int32_t kind, int32_t class)
{
    Span starting, span = {self->wakes, 0};
    if (machine_starting(self, class, &starting) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < starting.count; index++) {
        int32_t pattern = self->starters.at[starting.first + index];
        Automaton *automaton = &self->automata[pattern];
        int32_t state = machine_idle(self, pattern, last);
        int32_t edge = state < 0 ? state : machine_edge(self, pattern, state, class);
        if (edge < 0
            || grown((void **)&self->wake, &self->wake_room, (int64_t)self->wakes + 1,
                     sizeof(Wake)) < 0) {
            self->wakes = span.first;
            return edge < 0 ? edge : ERROR;
        }
        const Edge *leads = &automaton->cache.edge[edge];
        if (leads->accepts != NONE || !automaton->cache.state[leads->target].idle) {
            Wake wake = {pattern, *leads};
            self->wake[self->wakes++] = wake;
            span.count++;
        }
    }
    Ints *woken = &self->woken[kind];
    int32_t room = woken->room;
    int result = grown((void **)&self->span, &self->span_room, (int64_t)self->spans + 1,
                       sizeof(Span));
    if (result == 0) {
        result = ints_set(woken, class, self->spans);
        self->woken_ints += woken->room - room;
    }
    if (result < 0) {
        self->wakes = span.first;
        return ERROR;
    }
    self->span[self->spans] = span;
    self->full = self->full || has_many_wakes(self);
    return self->spans++;
}

static int32_t
machine_wakes(Machine *self, int32_t last, int32_t class)
{
    int32_t kind = machine_kind(self, last);
    if (kind < 0) {
        return ERROR;
    }
    int32_t known = ints_get(&self->woken[kind], class);
    return known != NONE ? known : wakes_made(self, last, kind, class);
}

/* --- as an object --------------------------------------------------------------------------- */

/* The first class is of what stands before a text. */
static int
begin_taken(Machine *self, PyObject *given)
{
    uint32_t *bits;
    int result = signature_given(self->characters, given, &bits);
    if (result == 0) {
        result = numbers_of(&self->classes, (int32_t *)bits, self->words);
        PyMem_Free(bits);
    }
    return result;
}

/* Walk the conditions of a pattern, from `at` on, once, so that `may_begin` stays in them. */
static int
firsts_checked(const Machine *self, int32_t at)
{
    const Ints *firsts = &self->firsts;
    while (is_within(at, 0, firsts->count) && firsts->at[at] != NONE) {
        for (int part = 0; part < 2; part++) {
            if (!is_within(at, 0, firsts->count)
                || !is_within(firsts->at[at], 0, firsts->count - at)) {
                return ERROR;
            }
            for (int32_t count = firsts->at[at++]; count; count--, at++) {
                if (!is_within(firsts->at[at], 0, 32 * self->words)) {
                    return ERROR;
                }
            }
        }
    }
    return PyErr_Occurred() ? ERROR : 0;
}

/* Take the bits of the lookbehinds, which are the last of the automata. */
static int
lookbehinds_taken(Machine *self, PyObject *tells)
{
    if (ints_taken(tells, &self->tells) < 0) {
        return ERROR;
    }
    if (self->tells.count > self->patterns) {
        return failed("a table of the search is cut off");
    }
    self->lookbehinds = self->patterns - self->tells.count;
    for (int32_t index = 0; index < self->tells.count; index++) {
        if (!is_within(self->tells.at[index], 0, 32 * self->words)) {
            return ERROR;
        }
    }
    return 0;
}

static int
machine_filled(Machine *self, PyObject *flags, PyObject *labels, PyObject *tails, PyObject *firsts,
               PyObject *first_at, PyObject *kept, PyObject *asked, PyObject *begin,
               PyObject *tells)
{
    char *bytes;
    Py_ssize_t patterns;
    self->words = self->characters->words;
    if (PyBytes_AsStringAndSize(flags, &bytes, &patterns) < 0
        || ints_taken(labels, &self->labels) < 0 || ints_taken(tails, &self->tails) < 0
        || ints_taken(firsts, &self->firsts) < 0 || ints_taken(first_at, &self->first_at) < 0
        || signature_given(self->characters, kept, &self->kept) < 0
        || signature_given(self->characters, asked, &self->asked) < 0) {
        return ERROR;
    }
    if (patterns > MAX_CLASSES || self->first_at.count != patterns
        || self->labels.count != patterns || self->tails.count != patterns) {
        return failed("a table of the search is cut off");
    }
    self->patterns = (int32_t)patterns;
    self->flags = PyMem_Malloc((size_t)patterns + 1);
    self->automata = PyMem_Calloc((size_t)patterns + 1, sizeof(Automaton));
    self->awake = PyMem_Calloc((size_t)patterns + 1, sizeof(int32_t));
    self->scratch = PyMem_Calloc((size_t)self->words, sizeof(uint32_t));
    if (!self->flags || !self->automata || !self->awake || !self->scratch) {
        PyErr_NoMemory();
        return ERROR;
    }
    memcpy(self->flags, bytes, (size_t)patterns);
    for (int32_t pattern = 0; pattern < self->patterns; pattern++) {
        if (firsts_checked(self, self->first_at.at[pattern]) < 0) {
            return ERROR;
        }
    }
    return lookbehinds_taken(self, tells) < 0 ? ERROR : begin_taken(self, begin);
}

static PyObject *
machine_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"flags", "labels", "tails", "firsts", "first_at", "kept", "asked",
                            "begin", "tells", "characters", "load", "more", NULL};
    PyObject *flags, *labels, *tails, *firsts, *first_at, *kept, *asked, *begin, *tells;
    PyObject *characters, *load, *more;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "SSSSSSSSSOOO", names, &flags, &labels,
                                     &tails, &firsts, &first_at, &kept, &asked, &begin, &tells,
                                     &characters, &load, &more)
        || !is_characters(characters)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Machine *self = (Machine *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->characters = (Characters *)Py_NewRef(characters);
    self->load = Py_NewRef(load);
    self->more = Py_NewRef(more);
    self->limit = INT64_MAX;
    if (machine_filled(self, flags, labels, tails, firsts, first_at, kept, asked, begin, tells) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
machine_traverse(Machine *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->characters);
    Py_VISIT(self->load);
    Py_VISIT(self->more);
    return 0;
}

/* Only callables are released, so that a stream can still be read while garbage is collected. */
static int
machine_clear(Machine *self)
{
    Py_CLEAR(self->load);
    Py_CLEAR(self->more);
    return 0;
}

static void
machine_dealloc(Machine *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    machine_clear(self);
    Py_CLEAR(self->characters);
    for (int32_t pattern = 0; self->automata && pattern < self->patterns; pattern++) {
        automaton_free(&self->automata[pattern]);
    }
    for (int32_t kind = 0; kind < self->woken_count; kind++) {
        ints_free(&self->woken[kind]);
    }
    pages_free(self->pages);
    for (int32_t class = 0; class < self->local_room; class++) {
        PyMem_Free(self->locals[class]);
    }
    PyMem_Free(self->locals);
    Ints *ints[] = {&self->class_of, &self->firsts, &self->first_at, &self->starters,
                    &self->kind_of, &self->labels, &self->tails, &self->tells, &self->told};
    for (size_t index = 0; index < COUNT_OF(ints); index++) {
        ints_free(ints[index]);
    }
    bench_free(&self->bench);
    joints_free(&self->joints);
    numbers_free(&self->kinds);
    numbers_free(&self->classes);
    PyMem_Free(self->kept);
    PyMem_Free(self->scratch);
    PyMem_Free(self->automata);
    PyMem_Free(self->flags);
    PyMem_Free(self->starting);
    PyMem_Free(self->asked);
    PyMem_Free(self->woken);
    PyMem_Free(self->wake);
    PyMem_Free(self->span);
    PyMem_Free(self->awake);
    PyMem_Free(self->followed);
    PyMem_Free(self->next.runs);
    PyMem_Free(self->next.registers);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* bound(bytes): how much all automata may take together */
static PyObject *
machine_limit(Machine *self, PyObject *given)
{
    long long bytes;
    if (int_of(given, 0, INT64_MAX, &bytes) < 0) {
        return NULL;
    }
    self->limit = bytes;
    self->full = 1;
    Py_RETURN_NONE;
}

static PyObject *
machine_size(Machine *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->bytes + joints_bytes(&self->joints) + wakes_bytes(self));
}

static PyGetSetDef machine_members[] = {
    {"size", (getter)machine_size, NULL, "How many bytes its caches take.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef machine_methods[] = {
    {"bound", (PyCFunction)machine_limit, METH_O, "Bound the bytes that the automata take."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot machine_slots[] = {
    {Py_tp_doc, "What all streams of a set of patterns share."},
    {Py_tp_new, machine_new},
    {Py_tp_dealloc, machine_dealloc},
    {Py_tp_traverse, machine_traverse},
    {Py_tp_clear, machine_clear},
    {Py_tp_methods, machine_methods},
    {Py_tp_getset, machine_members},
    {0, NULL},
};

static PyType_Spec machine_spec = {
    "guardstream.scan._native.Machine",
    sizeof(Machine),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    machine_slots,
};

#endif
