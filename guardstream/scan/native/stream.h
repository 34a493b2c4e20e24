/* One stream's search as an object of Python (`stepper.Stepper`). */

#ifndef GUARDSTREAM_STREAM_H
#define GUARDSTREAM_STREAM_H

#include "again.h"

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

/* fork() -> a copy that goes on by itself */
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

/* is_alike(other) -> whether another stream of the machine has the same candidates, each begun
   equally far back, and neither has an open match. Offsets may differ. Patterns that are disabled
   here do not count. */
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

/* oldest() -> where the oldest candidate began; the present if none lives. No open match is older,
   since it waits for a candidate */
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

/* waiting() -> the patterns that have open matches */
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

/* hits() -> the matches of eager patterns that the last character has completed, each once */
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

/* failures() -> the patterns that are disabled because they would have too many threads, each once,
   with where its oldest hold-back began */
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

/* Append what a plain pattern's match masks, if anything: (label, start, end), and if asked for, where
   the match began and its pattern. */
static int
append_match(const Stream *self, PyObject *list, const OpenMatch *match, int origin)
{
    int32_t tail = self->machine->tails.at[match->pattern];
    int64_t start = tail < 0 ? match->start : match->hold;
    int64_t end = tail < 0 ? match->end : match->end - tail;
    if (start >= end) {
        return 0;
    }
    PyObject *made =
        Py_BuildValue(origin ? "(iLLLi)" : "(iLL)", (int)self->machine->labels.at[match->pattern],
                      (long long)start, (long long)end, (long long)match->start,
                      (int)match->pattern);
    int result = made == NULL ? ERROR : PyList_Append(list, made);
    Py_XDECREF(made);
    return result;
}

/* Take the matches of a plain pattern that began before its oldest candidate. */
static int
pile_settle(Stream *self, Pile *pile, int64_t oldest, PyObject *found, int origin)
{
    int result = 0;
    while (result == 0 && pile->head < pile->count && pile->at[pile->head].start < oldest) {
        const OpenMatch *match = &pile->at[pile->head++];
        pile->waiting -= !match->written;
        result = append_match(self, found, match, origin);
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

/* certain() -> (what the matches that have become certain mask, with where each began and its pattern;
   the patterns that have a match which Python must settle) */
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

/* open_matches(pattern) -> its open matches, the oldest first */
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

/* take(pattern, last) -> its oldest open match, which is removed, if it is older than all candidates,
   or if nothing more is read; otherwise None */
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

/* keep(pattern, matches): replace its open matches by these */
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

/* write(pattern, matches): mark these of its open matches as written */
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

/* restart(pattern, text, begin, at, base, ended, until): restart the search for a pattern as if it
   had begun at `text[at]`, and read up to the text's end, which is the present; `base` is the text's
   offset. Before `at`, only its lookbehinds read, from `begin` on. The masked group does not open up
   to the offset `until`. */
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
