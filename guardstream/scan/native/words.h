/* Steps the states of a word index over a text (`aho_corasick.py`, which builds them). A node is the
   number of a state; it may have none in Python yet (`words/forms.py`). */

#ifndef GUARDSTREAM_WORDS_H
#define GUARDSTREAM_WORDS_H

#include "machine.h"
#include "memory.h"
#include "wordlist.h"

typedef struct {
    int32_t held;    /* how many characters ago the oldest live candidate began */
    int32_t found;   /* what the words that are complete here ask for: DUE or CERTAIN, 0 if none */
    int32_t joined;  /* whether the last character continues words */
    uint64_t starts; /* a bit for each letter of the live text: whether a word may begin there */
} WordNode;

#define MAX_LIVING 63 /* as in aho_corasick.py: of so many letters `starts` has a bit each */

/* A transition; they stand in an open hash table, since most states have few and classes are
   many. */
typedef struct {
    int32_t node, class, target;
} WordEdge;

#define MAX_WORD_EDGES 120000 /* how many transitions may be made here, besides those of Python */

/* The states of an index until it is flushed. */
typedef struct {
    PyObject_HEAD
    PyObject *classify; /* (code) -> (class, letter, joins, rows) */
    PyObject *build;    /* (table, node, class) -> (table, node) */
    PyObject *states;   /* the states as Python knows them, by node; None for those made here */
    WordList *whole;    /* the words that must stand alone, as compared */
    WordList *parts;    /* those that need not */
    PyObject *live;     /* by node: the live text, a character for each letter; None if more lives */
    PyObject *known;    /* (live, starts, joined) -> node, where nothing more lives */
    int holds;          /* whether text waits for candidates */
    Ints letters;       /* by class: the letter that its characters are compared as, or NONE */
    Ints joins;         /* by class: whether its characters continue words */
    WordNode *node;
    int32_t nodes, node_room;
    WordEdge *edge;
    int32_t edges, edge_room;
    uint16_t *pages[PAGES];
} WordTable;

static PyObject *
word_table_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"classify", "build", "states", "whole", "parts", "holds", NULL};
    PyObject *classify, *build, *states, *whole, *parts;
    int holds;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO!OOp", names, &classify, &build,
                                     &PyList_Type, &states, &whole, &parts, &holds)
        || !is_word_list(whole) || !is_word_list(parts)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    WordTable *self = (WordTable *)alloc(type, 0);
    if (self != NULL) {
        self->classify = Py_NewRef(classify);
        self->build = Py_NewRef(build);
        self->states = Py_NewRef(states);
        self->whole = (WordList *)Py_NewRef(whole);
        self->parts = (WordList *)Py_NewRef(parts);
        self->holds = holds;
        self->live = PyList_New(0);
        self->known = PyDict_New();
        if (self->live == NULL || self->known == NULL) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

static int
word_table_traverse(WordTable *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->classify);
    Py_VISIT(self->build);
    Py_VISIT(self->states);
    Py_VISIT(self->whole);
    Py_VISIT(self->parts);
    Py_VISIT(self->live);
    Py_VISIT(self->known);
    return 0;
}

/* As `machine_clear`. States release their places themselves. */
static int
word_table_clear(WordTable *self)
{
    Py_CLEAR(self->classify);
    Py_CLEAR(self->build);
    return 0;
}

static void
word_table_dealloc(WordTable *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    word_table_clear(self);
    Py_CLEAR(self->states);
    Py_CLEAR(self->whole);
    Py_CLEAR(self->parts);
    Py_CLEAR(self->live);
    Py_CLEAR(self->known);
    PyMem_Free(self->node);
    PyMem_Free(self->edge);
    ints_free(&self->letters);
    ints_free(&self->joins);
    pages_free(self->pages);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* The class of a character; ERROR with an error set. */
static int32_t
word_class(WordTable *self, Py_UCS4 code)
{
    if (code >= 0x110000) {
        return failed("no character has this code");
    }
    uint16_t *page = self->pages[code / PAGE];
    if (page != NULL && page[code % PAGE] != MISSING) {
        return page[code % PAGE];
    }
    int class, letter, joins;
    PyObject *found = PyObject_CallFunction(self->classify, "I", (unsigned int)code), *rows;
    if (found == NULL) {
        return ERROR;
    }
    if (!PyTuple_Check(found)) {
        Py_DECREF(found);
        return failed("a class of characters must be a tuple");
    }
    class = !PyArg_ParseTuple(found, "iipS", &class, &letter, &joins, &rows)
            || !is_within(class, 0, MAX_CLASSES) || !is_within(letter, NONE, 0x110000)
            || ints_set(&self->letters, class, letter) < 0
            || ints_set(&self->joins, class, joins) < 0
        ? ERROR
        : rows_taken(self->pages, &self->joins, MAX_CLASSES, code, rows);
    Py_DECREF(found);
    return class;
}

/* Put an object of a node that is being made into a list. An object there already is left from one
   that failed. */
static int
word_put(PyObject *list, int32_t node, PyObject *item)
{
    return node < PyList_Size(list) ? PyList_SetItem(list, node, Py_NewRef(item))
                                    : PyList_Append(list, item);
}

/* Add a state: returns its number or ERROR. */
static int32_t
word_node(WordTable *self, PyObject *state, const WordNode *node, PyObject *live)
{
    if (grown((void **)&self->node, &self->node_room, (int64_t)self->nodes + 1,
              sizeof(WordNode)) < 0
        || word_put(self->states, self->nodes, state) < 0
        || word_put(self->live, self->nodes, live) < 0) {
        return ERROR;
    }
    self->node[self->nodes] = *node;
    return self->nodes++;
}

/* The state in which only a live text lives and no word is complete; it is added if there is none
   yet. Returns its number or ERROR. */
static int32_t
word_living(WordTable *self, PyObject *state, const WordNode *node, PyObject *live)
{
    PyObject *key = Py_BuildValue("(OKi)", live, (unsigned long long)node->starts,
                                  (int)node->joined);
    PyObject *known = key == NULL ? NULL : PyDict_GetItemWithError(self->known, key);
    int32_t number = ERROR;
    if (known != NULL) {
        number = (int32_t)PyLong_AsLong(known);
        if (state != Py_None && PyList_SetItem(self->states, number, Py_NewRef(state)) < 0) {
            number = ERROR;
        }
    }
    else if (!PyErr_Occurred() && (number = word_node(self, state, node, live)) >= 0) {
        PyObject *made = PyLong_FromLong(number);
        if (made == NULL || PyDict_SetItem(self->known, key, made) < 0) {
            number = ERROR;
        }
        Py_XDECREF(made);
    }
    Py_XDECREF(key);
    return number;
}

/* add(state, held, found, living) -> its number; `living` is what `live` returns, and where words
   are found `state.certain` are their matches, (label, began, ended) in characters ago, or None */
static PyObject *
word_table_add(WordTable *self, PyObject *args)
{
    int held, found, joined = 0;
    unsigned long long starts = 0;
    PyObject *state, *living, *live = Py_None;
    if (!PyArg_ParseTuple(args, "OiiO", &state, &held, &found, &living)
        || !is_within(found, 0, CERTAIN + 1)
        || (PyTuple_Check(living)
            && !PyArg_ParseTuple(living, "UKp", &live, &starts, &joined))) {
        return NULL;
    }
    const WordNode node = {held, found, joined, starts};
    int32_t number = live == Py_None || found ? word_node(self, state, &node, live)
                                              : word_living(self, state, &node, live);
    return number < 0 ? NULL : PyLong_FromLong(number);
}

/* live(node) -> (live, starts, joined) if nothing else lives and each letter was one character;
   otherwise None */
static PyObject *
word_table_live(WordTable *self, PyObject *given)
{
    long long number;
    if (int_of(given, 0, (long long)self->nodes - 1, &number) < 0) {
        return NULL;
    }
    PyObject *live = PyList_GetItem(self->live, (Py_ssize_t)number);
    if (live == NULL || live == Py_None) {
        return Py_XNewRef(live);
    }
    const WordNode *node = &self->node[number];
    return Py_BuildValue("(OKi)", live, (unsigned long long)node->starts, (int)node->joined);
}

/* The slot of a transition, or the free one where it would be; there is always a free slot. */
static WordEdge *
word_edge(const WordTable *self, int32_t node, int32_t class)
{
    uint32_t mask = (uint32_t)self->edge_room - 1;
    uint32_t hash = ((uint32_t)node * 0x9E3779B1u) ^ ((uint32_t)class * 0x85EBCA6Bu);
    for (uint32_t at = (hash ^ (hash >> 15)) & mask;; at = (at + 1) & mask) {
        WordEdge *edge = &self->edge[at];
        if (edge->target == NONE || (edge->node == node && edge->class == class)) {
            return edge;
        }
    }
}

static int
word_table_grow(WordTable *self)
{
    if (2 * (self->edges + 1) <= self->edge_room) {
        return 0;
    }
    WordEdge *old = self->edge, *fresh = NULL;
    int32_t count = self->edge_room, room = 0;
    if (grown((void **)&fresh, &room, 2 * ((int64_t)self->edges + 1), sizeof(WordEdge)) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < room; index++) {
        fresh[index].target = NONE;
    }
    self->edge = fresh;
    self->edge_room = room;
    for (int32_t index = 0; index < count; index++) {
        if (old[index].target != NONE) {
            *word_edge(self, old[index].node, old[index].class) = old[index];
        }
    }
    PyMem_Free(old);
    return 0;
}

static int
word_table_put(WordTable *self, int32_t node, int32_t class, int32_t target)
{
    if (word_table_grow(self) < 0) {
        return ERROR;
    }
    WordEdge *edge = word_edge(self, node, class), made = {node, class, target};
    self->edges += edge->target == NONE;
    *edge = made;
    return 0;
}

/* link(node, class, target) */
static PyObject *
word_table_link(WordTable *self, PyObject *args)
{
    int node, class, target;
    if (!PyArg_ParseTuple(args, "iii", &node, &class, &target)
        || !is_within(node, 0, self->nodes) || !is_within(target, 0, self->nodes)
        || !is_within(class, 0, MAX_CLASSES) || word_table_put(self, node, class, target) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Whether a text from `begin` to its end begins a longer word, or is a COMPLETE one, of the words that
   may begin there (`WordIndex._grows`). */
static int
word_lives(const WordTable *self, PyObject *text, Py_ssize_t begin, Py_ssize_t length,
           int may_begin)
{
    int part = word_goes_on(self->parts, text, begin, length);
    int whole = part >= 0 && may_begin ? word_goes_on(self->whole, text, begin, length) : 0;
    return part < 0 || whole < 0 ? ERROR : part > whole ? part : whole;
}

/* Find where the live text begins in a `text` that has grown by a letter: the text's length if nothing
   lives, NONE if a word is complete, or BROKEN. */
static Py_ssize_t
word_first(const WordTable *self, PyObject *text, uint64_t starts)
{
    Py_ssize_t length = PyUnicode_GetLength(text), first = length;
    for (Py_ssize_t begin = length - 1; begin >= 0; begin--) {
        int may_begin = (int)(starts >> begin & 1);
        int lives = word_lives(self, text, begin, length, may_begin);
        if (lives < 0 || lives == COMPLETE) {
            return lives < 0 ? BROKEN : NONE;
        }
        first = lives ? begin : first;
    }
    return first;
}

/* Make the transition from a state in which only a live text lives, as in most. The target stays NONE
   if Python has to build it (`WordIndex._grown`). */
static int
word_made(WordTable *self, int32_t node, int32_t class, int32_t *target)
{
    int32_t code = ints_get(&self->letters, class);
    PyObject *live = PyList_GetItem(self->live, node);
    if (live == NULL) {
        return ERROR;
    }
    if (code == NONE || live == Py_None || self->edges >= MAX_WORD_EDGES
        || PyUnicode_GetLength(live) >= MAX_LIVING) {
        return 0;
    }
    PyObject *letter = PyUnicode_FromOrdinal(code), *left = NULL;
    PyObject *text = letter == NULL ? NULL : PyUnicode_Concat(live, letter);
    Py_XDECREF(letter);
    if (text == NULL) {
        return ERROR;
    }
    Py_ssize_t length = PyUnicode_GetLength(text);
    uint64_t begins = !self->node[node].joined, starts = self->node[node].starts;
    starts |= begins << (length - 1);
    Py_ssize_t first = word_first(self, text, starts);
    if (first >= 0 && (left = PyUnicode_Substring(text, first, length)) != NULL) {
        WordNode made = {(int32_t)(length - first), 0, ints_get(&self->joins, class),
                         first < length ? starts >> first : 0};
        *target = word_living(self, Py_None, &made, left);
    }
    Py_XDECREF(left);
    Py_DECREF(text);
    if (PyErr_Occurred()) {
        return ERROR;
    }
    return *target == NONE ? 0 : word_table_put(self, node, class, *target);
}

static PyObject *
word_table_states(WordTable *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->states);
}

static PyGetSetDef word_table_members[] = {
    {"states", (getter)word_table_states, NULL, "The states as Python knows them.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef word_table_methods[] = {
    {"add", (PyCFunction)word_table_add, METH_VARARGS, "Add a state; return its number."},
    {"live", (PyCFunction)word_table_live, METH_O, "The live text, if nothing else lives."},
    {"link", (PyCFunction)word_table_link, METH_VARARGS, "Add a transition between two states."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot word_table_slots[] = {
    {Py_tp_doc, "The states and transitions of a word index."},
    {Py_tp_new, word_table_new},
    {Py_tp_dealloc, word_table_dealloc},
    {Py_tp_traverse, word_table_traverse},
    {Py_tp_clear, word_table_clear},
    {Py_tp_methods, word_table_methods},
    {Py_tp_getset, word_table_members},
    {0, NULL},
};

static PyType_Spec word_table_spec = {
    "guardstream.scan._native.WordTable",
    sizeof(WordTable),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    word_table_slots,
};

/* --- a stream ------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    WordTable *table, *marked;
    int32_t node, marked_node;
    int64_t offset, marked_offset;
    uint8_t busy, taken;
    uint8_t broken; /* after an error it has not read all that it was given */
} WordStream;

static int
is_word_table(PyObject *given)
{
    if (PyType_GetSlot(Py_TYPE(given), Py_tp_dealloc) != (void *)word_table_dealloc) {
        PyErr_SetString(PyExc_TypeError, "a stream of words needs a table");
        return 0;
    }
    return 1;
}

/* Take a place in a table, (table, node), as Python gives it. */
static int
word_place(PyObject *given, WordTable **table, int32_t *node)
{
    PyObject *owner;
    int number;
    if (!PyTuple_Check(given) || !PyArg_ParseTuple(given, "Oi", &owner, &number)
        || !is_word_table(owner) || !is_within(number, 0, ((WordTable *)owner)->nodes)) {
        return PyErr_Occurred() ? ERROR : failed("a place among words must be a tuple");
    }
    WordTable *before = *table;
    *table = (WordTable *)Py_NewRef(owner);
    *node = number;
    Py_XDECREF((PyObject *)before);
    return 0;
}

static PyObject *
word_stream_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *place;
    static char *names[] = {"place", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &place)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    WordStream *self = (WordStream *)alloc(type, 0);
    if (self == NULL || word_place(place, &self->table, &self->node) < 0) {
        Py_XDECREF((PyObject *)self);
        return NULL;
    }
    self->marked = (WordTable *)Py_NewRef((PyObject *)self->table);
    self->marked_node = self->node;
    return (PyObject *)self;
}

static int
word_stream_traverse(WordStream *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->table);
    Py_VISIT(self->marked);
    return 0;
}

static void
word_stream_dealloc(WordStream *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->table);
    Py_CLEAR(self->marked);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static int
is_word_busy(const WordStream *self)
{
    if (self->busy || self->broken) {
        PyErr_SetString(PyExc_RuntimeError, self->busy ? READS : HAS_FAILED);
    }
    return self->busy || self->broken;
}

static void
word_mark(WordStream *self)
{
    WordTable *before = self->marked;
    self->marked_node = self->node;
    self->marked_offset = self->offset;
    if (before != self->table) {
        self->marked = (WordTable *)Py_NewRef((PyObject *)self->table);
        Py_DECREF((PyObject *)before);
    }
}

static void
word_back(WordStream *self)
{
    WordTable *before = self->table;
    self->node = self->marked_node;
    self->offset = self->marked_offset;
    self->taken = 1;
    self->table = (WordTable *)Py_NewRef((PyObject *)self->marked);
    Py_DECREF((PyObject *)before);
}

/* Read a character: returns what the words that it completes ask for, or ERROR. */
static int
word_step(WordStream *self, Py_UCS4 code)
{
    int32_t class = word_class(self->table, code);
    if (class < 0) {
        return ERROR;
    }
    int32_t target =
        self->table->edge_room ? word_edge(self->table, self->node, class)->target : NONE;
    if (target == NONE) {
        int32_t made = NONE;
        if (word_made(self->table, self->node, class, &made) < 0) {
            return ERROR;
        }
        target = made;
    }
    if (target == NONE) {
        WordTable *table = (WordTable *)Py_NewRef((PyObject *)self->table);
        PyObject *place =
            PyObject_CallFunction(table->build, "Oii", table, self->node, class);
        Py_DECREF((PyObject *)table);
        if (place == NULL) {
            return ERROR;
        }
        int result = word_place(place, &self->table, &self->node);
        Py_DECREF(place);
        if (result < 0) {
            return ERROR;
        }
    }
    else {
        self->node = target;
    }
    self->offset++;
    self->taken = 0;
    return self->table->node[self->node].found;
}

/* Whether words are complete here that were not taken yet. */
static int
is_word_due(const WordStream *self)
{
    return self->table->node[self->node].found && !self->taken;
}

/* Append the matches of the words that are complete here, (label, start, end), and take them. */
static int
word_settle(WordStream *self, PyObject *list)
{
    PyObject *state = PyList_GetItem(self->table->states, self->node);
    PyObject *certain = state == NULL ? NULL : PyObject_GetAttrString(state, "certain");
    if (certain == NULL) {
        return ERROR;
    }
    int result = PyTuple_Check(certain) ? 0 : failed("certain words must be a tuple");
    for (Py_ssize_t index = 0; result == 0 && index < PyTuple_Size(certain); index++) {
        PyObject *match = PyTuple_GetItem(certain, index);
        int label, began, ended;
        if (!PyTuple_Check(match) || !PyArg_ParseTuple(match, "iii", &label, &began, &ended)) {
            result = PyErr_Occurred() ? ERROR : failed("a certain word must be a tuple");
            break;
        }
        PyObject *made = Py_BuildValue("(iLL)", label, (long long)(self->offset - began),
                                       (long long)(self->offset - ended));
        result = made == NULL ? ERROR : PyList_Append(list, made);
        Py_XDECREF(made);
    }
    Py_DECREF(certain);
    self->taken = 1;
    return result;
}

/* Read `text[begin:end]` until words are complete: returns the index after the last character. */
static Py_ssize_t
word_read(WordStream *self, PyObject *text, Py_ssize_t begin, Py_ssize_t end)
{
    int found = 0;
    word_mark(self);
    self->busy = 1;
    while (begin < end && !found) {
        found = word_step(self, PyUnicode_ReadChar(text, begin++));
    }
    self->busy = 0;
    self->broken = found < 0;
    return found < 0 ? ERROR : begin;
}

/* How many characters the oldest candidate holds back. */
static int32_t
word_held(const WordStream *self)
{
    return self->table->holds ? self->table->node[self->node].held : 0;
}

/* run(text, begin, end) -> the index after the last character read */
static PyObject *
word_stream_run(WordStream *self, PyObject *args)
{
    PyObject *text;
    Py_ssize_t begin, end;
    if (!PyArg_ParseTuple(args, "Unn", &text, &begin, &end)
        || !is_part(begin, end, PyUnicode_GetLength(text))) {
        return NULL;
    }
    if (is_word_busy(self) || (begin = word_read(self, text, begin, end)) < 0) {
        return NULL;
    }
    return PyLong_FromSsize_t(begin);
}

static PyObject *
word_stream_unread(WordStream *self, PyObject *Py_UNUSED(ignored))
{
    if (is_word_busy(self)) {
        return NULL;
    }
    word_back(self);
    Py_RETURN_NONE;
}

static PyObject *
word_stream_move(WordStream *self, PyObject *place)
{
    if (is_word_busy(self) || word_place(place, &self->table, &self->node) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
word_stream_place(WordStream *self, void *Py_UNUSED(closure))
{
    return Py_BuildValue("(Oi)", self->table, (int)self->node);
}

static PyObject *
word_stream_offset(WordStream *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->offset);
}

static int
word_stream_set_offset(WordStream *self, PyObject *offset, void *Py_UNUSED(closure))
{
    long long given;
    if (offset == NULL || is_word_busy(self) || int_of(offset, 0, LLONG_MAX, &given) < 0) {
        return PyErr_Occurred() ? ERROR : failed("a stream has an offset");
    }
    self->offset = given;
    return 0;
}

static PyObject *
word_stream_held(WordStream *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(self->table->node[self->node].held);
}

static PyObject *
word_stream_due(WordStream *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(is_word_due(self));
}

static PyObject *
word_stream_take(WordStream *self, PyObject *Py_UNUSED(ignored))
{
    self->taken = 1;
    Py_RETURN_NONE;
}

static PyGetSetDef word_stream_members[] = {
    {"held", (getter)word_stream_held, NULL, "How long ago the oldest candidate began.", NULL},
    {"due", (getter)word_stream_due, NULL, "Whether words are complete here.", NULL},
    {"offset", (getter)word_stream_offset, (setter)word_stream_set_offset,
     "How many characters have been read.", NULL},
    {"place", (getter)word_stream_place, NULL, "The table and the number of the state.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef word_stream_methods[] = {
    {"run", (PyCFunction)word_stream_run, METH_VARARGS, "Read on to where a word is complete."},
    {"unread", (PyCFunction)word_stream_unread, METH_NOARGS, "Go back to where that began."},
    {"move", (PyCFunction)word_stream_move, METH_O, "Go on from another state."},
    {"take", (PyCFunction)word_stream_take, METH_NOARGS, "Mark the words as settled."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot word_stream_slots[] = {
    {Py_tp_doc, "Where one stream stands among the words."},
    {Py_tp_new, word_stream_new},
    {Py_tp_dealloc, word_stream_dealloc},
    {Py_tp_traverse, word_stream_traverse},
    {Py_tp_methods, word_stream_methods},
    {Py_tp_getset, word_stream_members},
    {0, NULL},
};

static PyType_Spec word_stream_spec = {
    "guardstream.scan._native.WordStream",
    sizeof(WordStream),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    word_stream_slots,
};

#endif
