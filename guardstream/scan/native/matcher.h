/* Matches one pattern at one offset: for captures, and for back-references (`matcher.Matcher`).

   The ways of the pattern are tried in order of preference. The same step is never tried twice at the
   same offset, unless the captures that back-references need differ, or the rounds of a large counter.
   Python is asked only before that, which sets the text's characters are in. */

#ifndef GUARDSTREAM_MATCHER_H
#define GUARDSTREAM_MATCHER_H

#include "machine.h"

/* As `native.NativeMatcher` numbers them. */
enum {
    STEP_CHAR,
    STEP_SPLIT,
    STEP_COUNT,
    STEP_OPEN,
    STEP_CLOSE,
    STEP_REFERENCE,
    STEP_ASSERT,
    STEP_AHEAD,
    STEP_BEHIND,
    STEP_ATOMIC,
    STEP_MATCH
};

/* As `native._ANCHORS` has them. */
enum { AT_START, AT_LINE_START, AT_END, AT_LINE_END, AT_EDGE, AT_NO_EDGE };

/* A step. `set`: that of its character, or of word characters. `after`: the next step. `aside`: the
   first step inside a lookaround or an atomic group. `first`, `count`: its choices among the ways.
   `number`: a group's or a counter's, or an assertion's kind. A counter has from `least` to `most`
   rounds; 0 is unbounded. `negate` makes a counter lazy, and a reference ignore case: then the other
   cases of characters come after their sets. */
typedef struct {
    int32_t kind, set, after, aside, first, count, number, negate, least, most;
} Step;

#define STEP_INTS INTS_IN(Step) /* as `NativeMatcher._rows` gives them */
#define MAX_CHARACTERS 20000 /* that are known: beyond that all are forgotten */
#define MAX_CASES 3          /* as in `native.py` */
#define PER_STEP 16          /* as in `matcher.py` */
#define MAX_NESTED 200       /* lookarounds and atomic groups within one another */

/* What a way has captured, newest first; an open group has no end yet. */
typedef struct {
    int32_t number, start, end, rest;
} Capture;

#define STILL_OPEN (-1)

/* A counter that a way is in: how many times a round has begun, where the last one did, and with
   which captures; and the rounds of the counter around it. */
typedef struct {
    int32_t number, times, begun, captures, around;
} Rounds;

typedef struct {
    PyObject_HEAD
    PyObject *classify; /* (code) -> the sets that the character is in */
    Step *step;
    uint8_t *meets; /* whether several ways may come to a step at the same offset */
    int32_t steps, group, sets;
    int counts; /* whether there are counters */
    Ints ways, referred;
    Numbers letters; /* the characters that are known, and their sets: */
    Ints in_sets;
    int32_t ascii[128]; /* the numbers of those that are ASCII, or NONE */
    int32_t readers; /* how many attempts use their numbers */
} Matcher;

/* A step at an offset, with the number of what references refer to and of the rounds. */
typedef struct {
    int32_t step, at, known;
} Tried;

typedef struct {
    Tried *at;
    int32_t count, room;
} Seen;

typedef struct {
    int32_t step, at, captures, rounds;
} Pending;

/* One attempt over one text, of which only the part from `low` to `high` is known: `code` and `letter`
   begin at `low`. */
typedef struct {
    const Matcher *matcher;
    uint32_t *code;
    int32_t *letter;
    int32_t low, high, length;
    int from_start, ran_out;
    int64_t steps, left;
    Capture *capture;
    int32_t captures, capture_room;
    Rounds *round;
    int32_t rounds, round_room;
    Pending *pending;
    int32_t waiting, pending_room;
    Numbers known;
    Ints key;
} Attempt;

#define NO_MATCH (-2)
#define OVER_BUDGET (-3)

/* --- what has been tried ------------------------------------------------------------------ */

static Tried *
seen_slot(Tried *slots, int32_t room, const Tried *tried)
{
    const int32_t key[3] = {tried->step, tried->at, tried->known};
    uint32_t mask = (uint32_t)room - 1;
    for (uint32_t at = hash_of(key, 3) & mask;; at = (at + 1) & mask) {
        Tried *slot = &slots[at];
        if (slot->step == NONE || !memcmp(slot, tried, sizeof(Tried))) {
            return slot;
        }
    }
}

/* Whether it has been tried before; it has been from now on. */
static int
is_seen(Seen *seen, const Tried *tried)
{
    if (2 * (seen->count + 1) > seen->room) {
        if (seen->room > MAX_INTS / 2) {
            return failed("a match is too long");
        }
        int32_t room = seen->room ? 2 * seen->room : 64;
        Tried *slots = PyMem_Malloc((size_t)room * sizeof(Tried));
        if (slots == NULL) {
            PyErr_NoMemory();
            return ERROR;
        }
        memset(slots, 0xFF, (size_t)room * sizeof(Tried));
        for (int32_t index = 0; index < seen->room; index++) {
            if (seen->at[index].step != NONE) {
                *seen_slot(slots, room, &seen->at[index]) = seen->at[index];
            }
        }
        PyMem_Free(seen->at);
        seen->at = slots;
        seen->room = room;
    }
    Tried *slot = seen_slot(seen->at, seen->room, tried);
    if (slot->step != NONE) {
        return 1;
    }
    *slot = *tried;
    seen->count++;
    return 0;
}

static int
wait_for(Attempt *attempt, Pending next)
{
    if (next.step == NONE) {
        return 0;
    }
    if (grown((void **)&attempt->pending, &attempt->pending_room, (int64_t)attempt->waiting + 1,
              sizeof(Pending)) < 0) {
        return ERROR;
    }
    attempt->pending[attempt->waiting++] = next;
    return 0;
}

/* --- captures ------------------------------------------------------------------------------ */

/* The captures with one more, in front of the `rest`; or BROKEN. */
static int32_t
capture_made(Attempt *attempt, int32_t number, int32_t start, int32_t end, int32_t rest)
{
    if (grown((void **)&attempt->capture, &attempt->capture_room, (int64_t)attempt->captures + 1,
              sizeof(Capture)) < 0) {
        return BROKEN;
    }
    attempt->capture[attempt->captures] = (Capture){number, start, end, rest};
    return attempt->captures++;
}

/* The captures with the group's last opening closed, or BROKEN. */
static int32_t
capture_closed(Attempt *attempt, int32_t captures, int32_t number, int32_t at)
{
    int32_t open = captures, before = 0;
    while (open != NONE
           && !(attempt->capture[open].number == number
                && attempt->capture[open].end == STILL_OPEN)) {
        open = attempt->capture[open].rest;
        before++;
    }
    if (open == NONE) {
        return captures;
    }
    /* What is newer is made anew, in front of it. */
    int32_t first = attempt->captures;
    for (int32_t newer = captures; before; before--, newer = attempt->capture[newer].rest) {
        Capture copy = attempt->capture[newer];
        if (capture_made(attempt, copy.number, copy.start, copy.end, attempt->captures + 1) < 0) {
            return BROKEN;
        }
    }
    Capture closed = attempt->capture[open];
    int32_t made = capture_made(attempt, number, closed.start, at, closed.rest);
    return made < 0 ? made : first;
}

static int
is_referred(const Matcher *matcher, int32_t number)
{
    for (int32_t index = 0; index < matcher->referred.count; index++) {
        if (matcher->referred.at[index] == number) {
            return 1;
        }
    }
    return 0;
}

/* Whether a capture is of a group, and not open. */
static int
is_closed(const Capture *capture, int32_t number)
{
    return capture->number == number && capture->end != STILL_OPEN;
}

/* The newest capture of a group that is not open, NONE if there is none. */
static int32_t
capture_found(const Attempt *attempt, int32_t captures, int32_t number)
{
    while (captures != NONE && !is_closed(&attempt->capture[captures], number)) {
        captures = attempt->capture[captures].rest;
    }
    return captures;
}

/* Whether a counter's last round, now at `at`, has read nothing so far, and has not changed a capture
   that is referred to. */
static int
is_empty(const Attempt *attempt, const Rounds *rounds, int32_t captures, int32_t at)
{
    if (rounds->begun != at) {
        return 0;
    }
    for (; captures != NONE && captures != rounds->captures;
         captures = attempt->capture[captures].rest) {
        Capture made = attempt->capture[captures];
        if (made.end == STILL_OPEN || !is_referred(attempt->matcher, made.number)) {
            continue;
        }
        int32_t before = capture_found(attempt, made.rest, made.number);
        if (before == NONE || attempt->capture[before].start != made.start
            || attempt->capture[before].end != made.end) {
            return 0;
        }
    }
    return 1;
}

/* Add the captures of groups that are referred to to the attempt's key. */
static int
captures_told(Attempt *attempt, int32_t captures)
{
    const Ints *referred = &attempt->matcher->referred;
    int64_t passed = 0;
    for (int32_t index = 0; index < referred->count; index++) {
        int32_t number = referred->at[index], found = captures;
        while (found != NONE && attempt->capture[found].number != number) {
            found = attempt->capture[found].rest;
            passed++;
        }
        if (found == NONE) {
            continue;
        }
        int32_t before = found;
        while (before != NONE && !is_closed(&attempt->capture[before], number)) {
            before = attempt->capture[before].rest;
            passed++;
        }
        /* What a group captured before still counts while it is open. */
        if ((before != found && before != NONE
             && ints_append(&attempt->key, (const int32_t *)&attempt->capture[before], 3) < 0)
            || ints_append(&attempt->key, (const int32_t *)&attempt->capture[found], 3) < 0) {
            return ERROR;
        }
    }
    attempt->steps += passed / PER_STEP;
    return 0;
}

/* Add the rounds to the attempt's key, and whether the last of each counter is empty so far. */
static int
rounds_told(Attempt *attempt, const Pending *next)
{
    for (int32_t index = next->rounds; index != NONE; index = attempt->round[index].around) {
        const Rounds *rounds = &attempt->round[index];
        int32_t told[2] = {rounds->times, is_empty(attempt, rounds, next->captures, next->at)};
        if (ints_append(&attempt->key, told, 2) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* A number for all that may change how a step goes on, or ERROR. */
static int32_t
number_known(Attempt *attempt, const Pending *next)
{
    const Matcher *matcher = attempt->matcher;
    if (!matcher->referred.count && !matcher->counts) {
        return 0;
    }
    attempt->key.count = 0;
    if (ints_push(&attempt->key, 0) < 0 || captures_told(attempt, next->captures) < 0
        || rounds_told(attempt, next) < 0) {
        return ERROR;
    }
    return numbers_of(&attempt->known, attempt->key.at, attempt->key.count);
}

/* --- steps --------------------------------------------------------------------------------- */

static int
is_in(const Attempt *attempt, int32_t set, int32_t at)
{
    if (at < attempt->low || at >= attempt->high) {
        return 0;
    }
    const Matcher *matcher = attempt->matcher;
    const int32_t *sets = matcher->in_sets.at + attempt->letter[at - attempt->low] * matcher->sets;
    return sets[set / 32] >> (set % 32) & 1;
}

static int
is_line_end(const Attempt *attempt, int32_t at)
{
    return at >= attempt->low && at < attempt->high && attempt->code[at - attempt->low] == '\n';
}

/* Whether an assertion about the neighbours holds. It may depend on what comes after the text. */
static int
holds_at(Attempt *attempt, const Step *step, int32_t at)
{
    int start = at == 0 && attempt->from_start, end = at == attempt->length;
    attempt->ran_out |= end && step->number != AT_START && step->number != AT_LINE_START;
    switch (step->number) {
    case AT_START:
        return start;
    case AT_LINE_START:
        return start || is_line_end(attempt, at - 1);
    case AT_END:
        return end;
    case AT_LINE_END:
        return end || is_line_end(attempt, at);
    default: {
        int before = at > 0 && is_in(attempt, step->set, at - 1);
        int after = !end && is_in(attempt, step->set, at);
        return (before != after) == (step->number == AT_EDGE);
    }
    }
}

/* Whether one character of the text is another, or another case of it. */
static int
is_case_of(const Attempt *attempt, int32_t one, int32_t other)
{
    const Matcher *matcher = attempt->matcher;
    int32_t letter = attempt->letter[one - attempt->low];
    const int32_t *cases = matcher->in_sets.at + (letter + 1) * matcher->sets - MAX_CASES;
    int32_t code = (int32_t)attempt->code[other - attempt->low];
    return cases[0] == code || cases[1] == code || cases[2] == code;
}

/* How many characters in a row, at two places of the text, the reference takes for the same. */
static int32_t
alike(const Attempt *attempt, const Step *step, int32_t first, int32_t second, int32_t most)
{
    const uint32_t *one = attempt->code + (first - attempt->low);
    const uint32_t *other = attempt->code + (second - attempt->low);
    int32_t count = 0;
    while (count < most && second + count < attempt->high
           && (one[count] == other[count]
               || (step->negate && is_case_of(attempt, first + count, second + count)))) {
        count++;
    }
    return count;
}

/* Read the text again that the group last captured: returns where it ends, or NO_MATCH. */
static int32_t
repeated(Attempt *attempt, const Step *step, int32_t at, int32_t captures)
{
    captures = capture_found(attempt, captures, step->number);
    if (captures == NONE) {
        return NO_MATCH;
    }
    const Capture *found = &attempt->capture[captures];
    if (found->start < attempt->low || at < attempt->low) {
        return NO_MATCH;
    }
    int32_t length = found->end - found->start;
    int32_t count = alike(attempt, step, found->start, at, length);
    attempt->steps += count / PER_STEP;
    if (count == length) {
        return at + length;
    }
    attempt->ran_out |= at + count >= attempt->length;
    return NO_MATCH;
}

static int32_t matched(Attempt *attempt, int32_t first, int32_t start, int32_t captures, int32_t end,
                       int32_t *into, int depth);

/* Whether a lookaround holds: 1, 0, or below 0 as `matched` says; sets what it has captured. */
static int32_t
looks(Attempt *attempt, const Step *step, int32_t at, int32_t *captures, int depth)
{
    int32_t found = NO_MATCH, into = *captures;
    if (step->kind == STEP_AHEAD) {
        found = matched(attempt, step->aside, at, *captures, NONE, &into, depth);
    }
    else {
        int32_t most = step->most < at ? step->most : at;
        for (int32_t width = step->least; width <= most && found == NO_MATCH; width++) {
            found = matched(attempt, step->aside, at - width, *captures, at, &into, depth);
        }
    }
    if (found >= 0 && !step->negate) {
        *captures = into;
    }
    return found == NO_MATCH ? step->negate : found < 0 ? found : !step->negate;
}

/* Take one step: sets where it leads and with what captures; returns whether it does, or below 0. */
static int
taken(Attempt *attempt, const Step *step, int32_t *at, int32_t *captures, int depth)
{
    int32_t result;
    switch (step->kind) {
    case STEP_CHAR:
        if (*at >= attempt->length) {
            attempt->ran_out = 1;
            return 0;
        }
        if (!is_in(attempt, step->set, *at)) {
            return 0;
        }
        ++*at;
        return 1;
    case STEP_OPEN:
        *captures = capture_made(attempt, step->number, *at, STILL_OPEN, *captures);
        return *captures == BROKEN ? ERROR : 1;
    case STEP_CLOSE:
        *captures = capture_closed(attempt, *captures, step->number, *at);
        return *captures == BROKEN ? ERROR : 1;
    case STEP_REFERENCE:
        result = repeated(attempt, step, *at, *captures);
        break;
    case STEP_ATOMIC:
        result = matched(attempt, step->aside, *at, *captures, NONE, captures, depth + 1);
        break;
    case STEP_AHEAD:
    case STEP_BEHIND:
        return looks(attempt, step, *at, captures, depth + 1);
    default:
        return holds_at(attempt, step, *at);
    }
    if (result >= 0) {
        *at = result;
    }
    return result >= 0 ? 1 : result == NO_MATCH ? 0 : result;
}

/* The rounds with another one of a counter, in front of those `around` it; or BROKEN. */
static int32_t
round_made(Attempt *attempt, const Pending *next, int32_t number, int32_t count, int32_t around)
{
    if (grown((void **)&attempt->round, &attempt->round_room, (int64_t)attempt->rounds + 1,
              sizeof(Rounds)) < 0) {
        return BROKEN;
    }
    attempt->round[attempt->rounds] = (Rounds){number, count, next->at, next->captures, around};
    return attempt->rounds++;
}

/* Lead on from a counter: sets the preferred one of another round and what comes after it, and lets
   the other wait. As in `regex`, an optional round that was empty is the last. */
static int
counted(Attempt *attempt, const Step *step, Pending *next)
{
    int32_t count = 0, around = next->rounds, ways = 0;
    int ends = 0;
    if (around != NONE && attempt->round[around].number == step->number) {
        const Rounds *rounds = &attempt->round[around];
        count = rounds->times;
        ends = count > step->least && is_empty(attempt, rounds, next->captures, next->at);
        around = rounds->around;
    }
    /* Without an upper bound, it only matters whether there have been enough rounds. */
    int32_t round = step->most || count < step->least ? count + 1 : step->least + 1;
    Pending way[2];
    for (int part = 0; part < 2; part++) {
        int more = part == step->negate;
        if (more ? ends || (step->most && count >= step->most) : count < step->least) {
            continue;
        }
        int32_t leads = more ? attempt->matcher->ways.at[step->first] : step->after;
        int32_t rounds = more ? round_made(attempt, next, step->number, round, around) : around;
        if (rounds == BROKEN) {
            return ERROR;
        }
        way[ways++] = (Pending){leads, next->at, next->captures, rounds};
    }
    if (ways == 2 && wait_for(attempt, way[1]) < 0) {
        return ERROR;
    }
    if (ways) {
        *next = way[0];
    }
    return ways > 0;
}

/* Take the first way of a choice, and let the others wait: returns whether there is one. */
static int
split(Attempt *attempt, const Step *step, Pending *next)
{
    const int32_t *ways = attempt->matcher->ways.at + step->first;
    for (int32_t way = step->count - 1; way > 0; way--) {
        if (wait_for(attempt, (Pending){ways[way], next->at, next->captures, next->rounds}) < 0) {
            return ERROR;
        }
    }
    if (step->count) {
        next->step = ways[0];
    }
    return step->count > 0;
}

/* Lead on from a step, no further than `end`: sets what comes next; returns whether the way leads on,
   or below 0. */
static int
led_on(Attempt *attempt, const Step *step, Pending *next, int32_t end, int depth)
{
    if (step->kind == STEP_SPLIT) {
        return split(attempt, step, next);
    }
    if (step->kind == STEP_COUNT) {
        return counted(attempt, step, next);
    }
    int result = taken(attempt, step, &next->at, &next->captures, depth);
    if (result <= 0 || (end != NONE && next->at > end) || step->after == NONE) {
        return result < 0 ? result : 0;
    }
    next->step = step->after;
    return 1;
}

/* Whether a step has been tried before at its offset; it has been from now on. */
static int
was_tried(Attempt *attempt, Seen *seen, const Pending *next)
{
    Tried key = {next->step, next->at, number_known(attempt, next)};
    return key.known < 0 ? ERROR : is_seen(seen, &key);
}

/* Try what is pending beyond `base`, the newest first; see `matched`. */
static int32_t
tried(Attempt *attempt, Seen *seen, int32_t first, int32_t base, int32_t end, int32_t *into,
      int depth)
{
    const Matcher *matcher = attempt->matcher;
    while (attempt->waiting > base) {
        Pending next = attempt->pending[--attempt->waiting];
        int goes_on = 1;
        while (goes_on) {
            const Step *step = &matcher->step[next.step];
            int known = matcher->meets[next.step] || next.step == first
                ? was_tried(attempt, seen, &next)
                : 0;
            if (known) {
                if (known < 0) {
                    return ERROR;
                }
                break;
            }
            if (++attempt->steps > attempt->left) {
                return OVER_BUDGET;
            }
            if (step->kind == STEP_MATCH) {
                if (end == NONE || next.at == end) {
                    *into = next.captures;
                    return next.at;
                }
                break;
            }
            goes_on = led_on(attempt, step, &next, end, depth);
            if (goes_on < 0) {
                return goes_on;
            }
        }
    }
    return NO_MATCH;
}

/* The first way that matches, which must end at `end` if that is not NONE: returns where it ends,
   and what it has captured in `into`; or NO_MATCH, OVER_BUDGET, ERROR. */
static int32_t
matched(Attempt *attempt, int32_t first, int32_t start, int32_t captures, int32_t end, int32_t *into,
        int depth)
{
    Seen seen = {0};
    int32_t base = attempt->waiting;
    if (depth > MAX_NESTED) {
        return failed("a pattern is nested too deeply");
    }
    int32_t result = wait_for(attempt, (Pending){first, start, captures, NONE}) < 0
        ? ERROR
        : tried(attempt, &seen, first, base, end, into, depth);
    attempt->waiting = base;
    PyMem_Free(seen.at);
    return result;
}

/* --- the text ------------------------------------------------------------------------------ */

static void
letters_forget(Matcher *self)
{
    numbers_free(&self->letters);
    self->in_sets.count = 0;
    memset(self->ascii, 0xFF, sizeof(self->ascii)); /* NONE */
}

/* The number of a character; Python is asked for the sets of one that is new. */
static int32_t
letter_of(Matcher *self, uint32_t code)
{
    const int32_t key = (int32_t)code;
    int32_t known = code < 128 ? self->ascii[code] : numbers_find(&self->letters, &key, 1);
    if (known != NONE) {
        return known;
    }
    PyObject *given = PyObject_CallFunction(self->classify, "I", (unsigned int)code);
    const char *sets;
    Py_ssize_t count;
    if (given == NULL || !PyBytes_Check(given) || ints_of(given, &sets, &count) < 0
        || count != self->sets) {
        Py_XDECREF(given);
        return PyErr_Occurred() ? ERROR : failed("a character's sets are not as many as there are");
    }
    /* Another thread may have asked meanwhile. A number without sets must not remain if this fails. */
    Ints *in_sets = &self->in_sets;
    int32_t before = self->letters.count;
    int32_t number = grown((void **)&in_sets->at, &in_sets->room, (int64_t)in_sets->count + count,
                           sizeof(int32_t)) < 0
        ? ERROR
        : numbers_of(&self->letters, &key, 1);
    if (number == before) {
        memcpy(in_sets->at + in_sets->count, sets, (size_t)count * sizeof(int32_t));
        in_sets->count += (int32_t)count;
    }
    Py_DECREF(given);
    if (code < 128 && number >= 0) {
        self->ascii[code] = number;
    }
    return number;
}

static int
text_read(Matcher *self, Attempt *attempt, PyObject *text)
{
    int32_t length = attempt->high - attempt->low;
    attempt->code = PyMem_Malloc(((size_t)length + 1) * sizeof(uint32_t));
    attempt->letter = PyMem_Malloc(((size_t)length + 1) * sizeof(int32_t));
    if (attempt->code == NULL || attempt->letter == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    PyObject *part = PyUnicode_Substring(text, attempt->low, attempt->high);
    int result = part == NULL
        || PyUnicode_AsUCS4(part, attempt->code, (Py_ssize_t)length + 1, 1) == NULL ? ERROR : 0;
    Py_XDECREF(part);
    for (int32_t index = 0; result == 0 && index < length; index++) {
        attempt->letter[index] = letter_of(self, attempt->code[index]);
        result = attempt->letter[index] < 0 ? ERROR : 0;
    }
    return result;
}

/* --- as an object -------------------------------------------------------------------------- */

static int
is_step(const Matcher *self, int32_t number)
{
    return is_within(number, NONE, self->steps);
}

static void
led_to(uint8_t *meets, int32_t *led, int32_t step)
{
    if (step != NONE) {
        meets[step] |= ++led[step] > 1;
    }
}

/* Mark the steps that several ways may reach at the same offset: only for these is it noted what has
   been tried. With references or counters, that is all steps. */
static int
meets_told(Matcher *self)
{
    int32_t *led = PyMem_Calloc((size_t)self->steps, sizeof(int32_t));
    self->meets = PyMem_Calloc((size_t)self->steps, 1);
    if (led == NULL || self->meets == NULL) {
        PyMem_Free(led);
        PyErr_NoMemory();
        return ERROR;
    }
    for (int32_t index = 0; index < self->steps; index++) {
        const Step *step = &self->step[index];
        int parts = step->kind >= STEP_SPLIT && step->kind <= STEP_COUNT;
        for (int32_t way = 0; parts && way < step->count; way++) {
            led_to(self->meets, led, self->ways.at[step->first + way]);
        }
        led_to(self->meets, led, step->after);
        led_to(self->meets, led, step->aside);
        if (step->kind == STEP_ATOMIC && step->after != NONE) {
            self->meets[step->after] = 1; /* from two offsets it may come to one */
        }
        self->meets[index] |= self->referred.count || self->counts;
    }
    PyMem_Free(led);
    return 0;
}

static int
matcher_filled(Matcher *self, PyObject *rows, PyObject *ways, PyObject *referred)
{
    const char *ints;
    Py_ssize_t count;
    if (ints_taken(ways, &self->ways) < 0 || ints_taken(referred, &self->referred) < 0
        || ints_of(rows, &ints, &count) < 0) {
        return ERROR;
    }
    if (count % STEP_INTS || !count || self->sets < 1 || self->sets > MAX_CLASSES) {
        return failed("a table of the search is cut off");
    }
    self->steps = (int32_t)(count / STEP_INTS);
    self->step = PyMem_Malloc((size_t)count * sizeof(int32_t));
    if (self->step == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    memcpy(self->step, ints, (size_t)count * sizeof(int32_t));
    for (int32_t index = 0; index < self->steps; index++) {
        const Step *step = &self->step[index];
        int has_aside = step->kind >= STEP_AHEAD && step->kind <= STEP_ATOMIC;
        int counts = step->kind == STEP_COUNT;
        int cases = step->kind == STEP_REFERENCE && step->negate;
        int is_group = step->kind == STEP_OPEN || step->kind == STEP_CLOSE
            || step->kind == STEP_REFERENCE;
        if (!is_within(step->kind, STEP_CHAR, STEP_MATCH + 1)
            || !is_within(step->set, 0, 32 * self->sets) || !is_step(self, step->after)
            || !is_within(step->aside, has_aside ? 0 : NONE, self->steps)
            || !is_within(step->first, 0, self->ways.count + 1)
            || !is_within(step->count, 0, self->ways.count - step->first + 1)
            || !is_within(step->number, is_group ? 0 : INT32_MIN, counts ? 0 : MAX_INTS)
            || !is_within(step->negate, 0, 2) || !is_within(step->least, 0, MAX_INTS)
            || !is_within(step->most, 0, MAX_INTS)
            || !is_within(self->sets, cases ? MAX_CASES + 1 : 1, MAX_INTS)
            || (counts && (!is_within(step->count, 1, 2) || !is_within(step->after, 0, self->steps)
                           || (step->most && step->least > step->most)))) {
            return ERROR;
        }
        self->counts |= counts;
    }
    for (int32_t index = 0; index < self->ways.count; index++) {
        if (!is_within(self->ways.at[index], 0, self->steps)) {
            return ERROR;
        }
    }
    return meets_told(self);
}

static PyObject *
matcher_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"steps", "ways", "referred", "group", "sets", "classify", NULL};
    PyObject *steps, *ways, *referred, *classify;
    int group, sets;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "SSSiiO", names, &steps, &ways, &referred,
                                     &group, &sets, &classify)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Matcher *self = (Matcher *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->classify = Py_NewRef(classify);
    self->group = group;
    self->sets = sets;
    letters_forget(self);
    if (matcher_filled(self, steps, ways, referred) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
matcher_traverse(Matcher *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->classify);
    return 0;
}

static int
matcher_clear(Matcher *self)
{
    Py_CLEAR(self->classify);
    return 0;
}

static void
matcher_dealloc(Matcher *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    matcher_clear(self);
    PyMem_Free(self->step);
    PyMem_Free(self->meets);
    ints_free(&self->ways);
    ints_free(&self->referred);
    ints_free(&self->in_sets);
    numbers_free(&self->letters);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* The captures of the masked group that are not empty, oldest first. */
static PyObject *
spans_made(const Attempt *attempt, int32_t captures)
{
    PyObject *spans = PyList_New(0);
    for (; spans != NULL && captures != NONE; captures = attempt->capture[captures].rest) {
        const Capture *found = &attempt->capture[captures];
        if (found->number != attempt->matcher->group || found->start >= found->end) {
            continue;
        }
        PyObject *span = Py_BuildValue("(ii)", (int)found->start, (int)found->end);
        if (span == NULL || PyList_Append(spans, span) < 0) {
            Py_CLEAR(spans);
        }
        Py_XDECREF(span);
    }
    if (spans != NULL && PyList_Reverse(spans) < 0) {
        Py_CLEAR(spans);
    }
    return spans;
}

/* run(text, first, start, end, from_start, low, high, left) -> (end, spans, ran_out, steps): match
   from the step `first` on, which must end at `end` unless that is -1. Of the text only what lies
   from `low` to `high` is read. The match's end is -2 if there is none, and -3 if it would take
   more than the steps that are `left`. */
static PyObject *
matcher_run(Matcher *self, PyObject *args)
{
    PyObject *text;
    int first, start, end, from_start, low, high;
    long long left;
    if (!PyArg_ParseTuple(args, "UiiipiiL", &text, &first, &start, &end, &from_start, &low, &high,
                          &left)) {
        return NULL;
    }
    Py_ssize_t length = PyUnicode_GetLength(text);
    if (length >= MAX_INTS || low < 0 || low > start || start > length || high > length
        || high < low || !is_within(first, 0, self->steps)) {
        return PyErr_Occurred() ? NULL : (failed("a part of the text is not in it"), NULL);
    }
    if (self->letters.count > MAX_CHARACTERS && !self->readers) {
        letters_forget(self);
    }
    Attempt attempt = {0};
    attempt.matcher = self;
    attempt.low = low;
    attempt.high = high;
    attempt.length = (int32_t)length;
    attempt.from_start = from_start;
    attempt.left = left;
    int32_t captures = NONE;
    self->readers++;
    int32_t found = text_read(self, &attempt, text) < 0
        ? ERROR
        : matched(&attempt, first, start, NONE, end, &captures, 0);
    self->readers--;
    PyObject *result = NULL;
    if (found != ERROR) {
        PyObject *spans = found < 0 ? PyList_New(0) : spans_made(&attempt, captures);
        result = spans == NULL ? NULL
                               : Py_BuildValue("(iNOL)", (int)found, spans,
                                               attempt.ran_out ? Py_True : Py_False,
                                               (long long)attempt.steps);
    }
    PyMem_Free(attempt.code);
    PyMem_Free(attempt.letter);
    PyMem_Free(attempt.capture);
    PyMem_Free(attempt.round);
    PyMem_Free(attempt.pending);
    numbers_free(&attempt.known);
    ints_free(&attempt.key);
    return result;
}

static PyMethodDef matcher_methods[] = {
    {"run", (PyCFunction)matcher_run, METH_VARARGS, "Match at one offset of a text."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot matcher_slots[] = {
    {Py_tp_doc, "Matches one pattern at one offset of a text."},
    {Py_tp_new, matcher_new},
    {Py_tp_dealloc, matcher_dealloc},
    {Py_tp_traverse, matcher_traverse},
    {Py_tp_clear, matcher_clear},
    {Py_tp_methods, matcher_methods},
    {0, NULL},
};

static PyType_Spec matcher_spec = {
    "guardstream.scan._native.Matcher",
    sizeof(Matcher),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    matcher_slots,
};

#endif
