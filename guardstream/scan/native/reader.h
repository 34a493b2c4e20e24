/* Reads a text by all searches of a stream in step, and keeps what they hold (`reader.py`). */

#ifndef GUARDSTREAM_READER_H
#define GUARDSTREAM_READER_H

#include "stream.h"
#include "words.h"
#include <structmember.h>

#define MAX_SEARCHES 64 /* as in `reader.py` */
#define MAX_PARTS 16 /* as in `reader.py` */
#define SHORT 32 /* of how many characters a text is short */

typedef struct {
    PyObject *stream_type, *word_stream_type;
} ModuleState;

typedef struct {
    PyObject_HEAD
    PyObject *searches;   /* a tuple of Streams and WordStreams, which the arrays list by kind */
    Stream **stream;
    WordStream **words;
    int32_t streams, word_streams;
    PyObject *unseen;     /* (text) -> whether it has unseen characters; or None */
    PyObject *parts;      /* the list to which text that was read is appended */
    PyObject *tail;       /* the text that is held */
    long long written;    /* how much of the text came before it */
    long long position;   /* how much has been read */
    long long trim_at;    /* where `feed` stops, so that the parts are trimmed */
    Py_ssize_t most;      /* how long the tail may become in `feed` */
    char busy;            /* whether `feed` takes nothing */
} Reader;

/* A text that is read; the characters of a short one are copied at once. */
typedef struct {
    PyObject *text;
    Py_ssize_t length;
    Py_UCS4 codes[SHORT];
} Given;

static int
is_text(PyObject *given)
{
    if (!PyUnicode_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "only texts are read");
    }
    return PyUnicode_Check(given);
}

static int
is_given(Given *given, PyObject *text)
{
    if (!is_text(text)) {
        return 0;
    }
    given->text = text;
    given->length = PyUnicode_GetLength(text);
    return given->length > SHORT || PyUnicode_AsUCS4(text, given->codes, SHORT, 0) != NULL;
}

static inline Py_UCS4
given_code(const Given *given, Py_ssize_t index)
{
    return given->length > SHORT ? PyUnicode_ReadChar(given->text, index) : given->codes[index];
}

/* --- what reads --------------------------------------------------------------------------- */

/* List the searches by kind. */
static int
reader_take(Reader *self, const ModuleState *state)
{
    Py_ssize_t count = PyTuple_Size(self->searches);
    if (count > MAX_SEARCHES) {
        return failed("too many searches are read together");
    }
    self->stream = PyMem_Calloc((size_t)count + 1, sizeof(Stream *));
    self->words = PyMem_Calloc((size_t)count + 1, sizeof(WordStream *));
    if (self->stream == NULL || self->words == NULL) {
        PyErr_NoMemory();
        return ERROR;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *search = PyTuple_GetItem(self->searches, index);
        if (PyObject_TypeCheck(search, (PyTypeObject *)state->stream_type)) {
            self->stream[self->streams++] = (Stream *)search;
        }
        else if (PyObject_TypeCheck(search, (PyTypeObject *)state->word_stream_type)) {
            self->words[self->word_streams++] = (WordStream *)search;
        }
        else {
            PyErr_SetString(PyExc_TypeError, "only streams are read together");
            return ERROR;
        }
    }
    return 0;
}

static PyObject *
reader_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"searches", "parts", "most", "unseen", NULL};
    PyObject *searches, *parts, *unseen;
    Py_ssize_t most;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!O!nO", names, &PyTuple_Type, &searches,
                                     &PyList_Type, &parts, &most, &unseen)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Reader *self = (Reader *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->searches = Py_NewRef(searches);
    self->parts = Py_NewRef(parts);
    self->unseen = Py_NewRef(unseen);
    self->tail = PyUnicode_FromString("");
    self->most = most;
    self->trim_at = LLONG_MAX;
    if (self->tail == NULL || reader_take(self, PyType_GetModuleState(type)) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->searches);
    Py_VISIT(self->parts);
    Py_VISIT(self->unseen);
    return 0;
}

static void
reader_dealloc(Reader *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    PyMem_Free(self->stream);
    PyMem_Free(self->words);
    Py_CLEAR(self->searches);
    Py_CLEAR(self->parts);
    Py_CLEAR(self->unseen);
    Py_CLEAR(self->tail);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static int
is_any_busy(const Reader *self)
{
    for (int32_t index = 0; index < self->streams; index++) {
        if (is_busy(self->stream[index])) {
            return 1;
        }
    }
    for (int32_t index = 0; index < self->word_streams; index++) {
        if (is_word_busy(self->words[index])) {
            return 1;
        }
    }
    return 0;
}

static void
all_busy(const Reader *self, uint8_t busy)
{
    for (int32_t index = 0; index < self->streams; index++) {
        self->stream[index]->busy = busy;
    }
    for (int32_t index = 0; index < self->word_streams; index++) {
        self->words[index]->busy = busy;
    }
}

/* Stop all searches: some may have read characters that others have not. */
static void
all_broken(const Reader *self)
{
    for (int32_t index = 0; index < self->streams; index++) {
        self->stream[index]->broken = 1;
    }
    for (int32_t index = 0; index < self->word_streams; index++) {
        self->words[index]->broken = 1;
    }
}

/* Read a character with all searches: returns what it asks for, or ERROR. */
static int
all_step(const Reader *self, Py_UCS4 code)
{
    int due = 0;
    for (int32_t index = 0; index < self->streams; index++) {
        int needs = stream_step(self->stream[index], code);
        if (needs < 0) {
            return ERROR;
        }
        due |= needs;
    }
    for (int32_t index = 0; index < self->word_streams; index++) {
        int found = word_step(self->words[index], code);
        if (found < 0) {
            return ERROR;
        }
        due |= found;
    }
    return due;
}

/* How many characters the oldest live candidate of all searches holds back. */
static long long
all_held(const Reader *self)
{
    long long held = 0;
    for (int32_t index = 0; index < self->streams; index++) {
        const Stream *stream = self->stream[index];
        long long waits = stream->now.offset - oldest_hold(stream);
        held = waits > held ? waits : held;
    }
    for (int32_t index = 0; index < self->word_streams; index++) {
        int32_t waits = word_held(self->words[index]);
        held = waits > held ? waits : held;
    }
    return held;
}

/* Append (index, held, matches) for the matches that the last character has made certain. */
static int
all_settle(const Reader *self, Py_ssize_t index, PyObject *settled)
{
    PyObject *found = PyList_New(0);
    for (int32_t which = 0; found != NULL && which < self->streams; which++) {
        if (self->stream[which]->due && stream_settle(self->stream[which], found, NULL) < 0) {
            Py_CLEAR(found);
        }
        self->stream[which]->due = 0;
    }
    for (int32_t which = 0; found != NULL && which < self->word_streams; which++) {
        if (is_word_due(self->words[which]) && word_settle(self->words[which], found) < 0) {
            Py_CLEAR(found);
        }
    }
    PyObject *made = found == NULL ? NULL : Py_BuildValue("(nLN)", index, all_held(self), found);
    int result = made == NULL ? ERROR : PyList_Append(settled, made);
    Py_XDECREF(made);
    return result;
}

/* Read a text from `begin` to `end`, up to the first character that needs attention: returns what
   that asks for, 0 at the end, or ERROR. `settled` is a new list where matches have
   been made certain before that, otherwise NULL. */
static int
all_run(const Reader *self, const Given *given, Py_ssize_t *begin, Py_ssize_t end,
        PyObject **settled)
{
    int due = 0;
    if (is_any_busy(self)) {
        return ERROR;
    }
    for (int32_t index = 0; index < self->streams; index++) {
        self->stream[index]->hits.count = 0;
    }
    all_busy(self, 1);
    while (*begin < end && due == 0) {
        due = all_step(self, given_code(given, (*begin)++));
        if (due != CERTAIN) {
            continue;
        }
        if (*settled == NULL) {
            *settled = PyList_New(0);
        }
        due = *settled == NULL ? ERROR : all_settle(self, *begin, *settled);
    }
    all_busy(self, 0);
    if (due < 0) {
        all_broken(self);
        Py_CLEAR(*settled);
    }
    return due;
}

/* The answer about a text that was read. If this fails, the position of the searches is unknown. */
static PyObject *
all_told(const Reader *self, PyObject *told)
{
    if (told == NULL) {
        all_broken(self);
    }
    return told;
}

/* (index, held, due, settled); takes over the reference to `settled` */
static PyObject *
all_ran(const Reader *self, Py_ssize_t index, int due, PyObject *settled)
{
    return all_told(self, Py_BuildValue("(nLON)", index, all_held(self), due ? Py_True : Py_False,
                                        settled == NULL ? Py_NewRef(Py_None) : settled));
}

/* run(text, begin, end) -> (index, held, due, settled): read up to the first character that needs
   attention; `due` says whether there was one. `settled` lists what came before it, as (index, held,
   matches): the index after a character, how many characters are held there, and the masked spans of
   the matches that it has made certain. */
static PyObject *
reader_run(Reader *self, PyObject *args)
{
    PyObject *text, *settled = NULL;
    Py_ssize_t begin, end;
    Given given;
    if (!PyArg_ParseTuple(args, "Unn", &text, &begin, &end) || !is_given(&given, text)
        || !is_part(begin, end, given.length)) {
        return NULL;
    }
    int due = all_run(self, &given, &begin, end, &settled);
    return due < 0 ? NULL : all_ran(self, begin, due, settled);
}

/* read(text): `run` for all of the text; returns how many characters are held if nothing else has
   happened */
static PyObject *
reader_read(Reader *self, PyObject *text)
{
    PyObject *settled = NULL;
    Py_ssize_t index = 0;
    Given given;
    if (!is_given(&given, text)) {
        return NULL;
    }
    int due = all_run(self, &given, &index, given.length, &settled);
    if (due < 0) {
        return NULL;
    }
    if (due == 0 && settled == NULL) {
        return all_told(self, PyLong_FromLongLong(all_held(self)));
    }
    return all_ran(self, index, due, settled);
}

/* --- what is held ------------------------------------------------------------------------- */

#define FILLER 0x3164 /* the Hangul filler */

/* Whether a character may be unseen, or half a surrogate pair: a control character, or one beyond
   ASCII, but not most of those that East Asia writes with. */
static inline int
may_be_unseen(Py_UCS4 code)
{
    if (code < ' ') {
        return code != '\t' && code != '\n' && code != '\r';
    }
    return code == FILLER || (code & ~0x7FFU) == 0xD800 || (code >= 0x7F && code < 0x2E80) || (code >= 0xFDD0 && code < 0xFF00)
        || code >= 0xFFA0;
}

/* Whether a text has unseen characters, or ERROR. */
static int
has_unseen(const Reader *self, const Given *given)
{
    Py_ssize_t index = 0;
    if (self->unseen == Py_None) {
        return 0;
    }
    while (index < given->length && !may_be_unseen(given_code(given, index))) {
        index++;
    }
    if (index == given->length) {
        return 0;
    }
    PyObject *found = PyObject_CallFunctionObjArgs(self->unseen, given->text, NULL);
    int result = found == NULL ? ERROR : PyObject_IsTrue(found);
    Py_XDECREF(found);
    return result;
}

/* Whether a text can be read at once, or ERROR. */
static int
is_simple(const Reader *self, const Given *given)
{
    if (self->busy || given->length == 0
        || PyUnicode_GetLength(self->tail) + given->length > self->most
        || self->position > self->trim_at) {
        return 0;
    }
    int found = has_unseen(self, given);
    return found < 0 ? ERROR : !found;
}

/* Append a text to the parts. Many small ones take more memory than one, so all but the first, which
   is usually long, are joined from time to time. */
static int
parts_append(PyObject *parts, PyObject *text)
{
    if (PyList_Append(parts, text) < 0) {
        return ERROR;
    }
    Py_ssize_t count = PyList_Size(parts);
    if (count <= MAX_PARTS) {
        return 0;
    }
    PyObject *between = PyUnicode_FromString("");
    PyObject *rest = between == NULL ? NULL : PyList_GetSlice(parts, 1, count);
    PyObject *joined = rest == NULL ? NULL : PyUnicode_Join(between, rest);
    PyObject *one = joined == NULL ? NULL : Py_BuildValue("[O]", joined);
    int result = one == NULL ? ERROR : PyList_SetSlice(parts, 1, count, one);
    Py_XDECREF(one);
    Py_XDECREF(joined);
    Py_XDECREF(rest);
    Py_XDECREF(between);
    return result;
}

/* Release the part of the tail and of the text after it that is not held: returns it, or NULL. */
static PyObject *
reader_release(Reader *self, PyObject *text, long long held)
{
    PyObject *all = PyUnicode_Concat(self->tail, text);
    Py_ssize_t length = all == NULL ? 0 : PyUnicode_GetLength(all);
    Py_ssize_t size = held < length ? length - (Py_ssize_t)held : 0;
    PyObject *out = all == NULL ? NULL : PyUnicode_Substring(all, 0, size);
    PyObject *kept = out == NULL ? NULL : PyUnicode_Substring(all, size, length);
    Py_XDECREF(all);
    if (kept == NULL) {
        Py_XDECREF(out);
        return NULL;
    }
    Py_DECREF(self->tail);
    self->tail = kept;
    self->written += size;
    return out;
}

/* feed(text): read a text that is simple; returns the text that is released if nothing else has
   happened, None if nothing was read, and otherwise what `run` returns */
static PyObject *
reader_feed(Reader *self, PyObject *text)
{
    PyObject *settled = NULL;
    Py_ssize_t index = 0;
    Given given;
    int simple = is_given(&given, text) ? is_simple(self, &given) : ERROR;
    if (simple == 0) {
        Py_RETURN_NONE;
    }
    int due = simple < 0 ? ERROR : all_run(self, &given, &index, given.length, &settled);
    if (due < 0) {
        return NULL;
    }
    if (due || settled != NULL) {
        return all_ran(self, index, due, settled);
    }
    PyObject *out = reader_release(self, text, all_held(self));
    if (out == NULL || parts_append(self->parts, text) < 0) {
        Py_CLEAR(out);
    }
    self->position += given.length;
    return all_told(self, out);
}

static PyObject *
reader_tail(Reader *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->tail);
}

static int
reader_set_tail(Reader *self, PyObject *text, void *Py_UNUSED(closure))
{
    if (text == NULL || !is_text(text)) {
        return text == NULL ? failed("a reader has a tail") : ERROR;
    }
    PyObject *before = self->tail;
    self->tail = Py_NewRef(text);
    Py_DECREF(before);
    return 0;
}

static PyObject *
reader_held(Reader *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->position - self->written);
}

static PyGetSetDef reader_properties[] = {
    {"tail", (getter)reader_tail, (setter)reader_set_tail, "The text that is held.", NULL},
    {"held", (getter)reader_held, NULL, "How many characters are held.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef reader_members[] = {
    {"written", T_LONGLONG, offsetof(Reader, written), 0, "How much came before the tail."},
    {"position", T_LONGLONG, offsetof(Reader, position), 0, "How much has been read."},
    {"trim_at", T_LONGLONG, offsetof(Reader, trim_at), 0, "Where `feed` reads nothing more."},
    {"busy", T_BOOL, offsetof(Reader, busy), 0, "Whether `feed` reads nothing."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef reader_methods[] = {
    {"feed", (PyCFunction)reader_feed, METH_O, "Read a text and release what is not held."},
    {"read", (PyCFunction)reader_read, METH_O, "Read a text."},
    {"run", (PyCFunction)reader_run, METH_VARARGS, "Read on to what needs attention."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "Reads a text by all searches of a stream."},
    {Py_tp_new, reader_new},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_methods, reader_methods},
    {Py_tp_members, reader_members},
    {Py_tp_getset, reader_properties},
    {0, NULL},
};

static PyType_Spec reader_spec = {
    "guardstream.scan._native.Reader",
    sizeof(Reader),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    reader_slots,
};

#endif
