/* The sorted words that a word index looks up when it makes a state (`words.h`), with an index by
   their first two letters. */

#ifndef GUARDSTREAM_WORDLIST_H
#define GUARDSTREAM_WORDLIST_H

#include "memory.h"

/* Where the words begin that have the same first two letters. */
typedef struct {
    uint64_t letters; /* as `word_head` returns them */
    int32_t first;    /* the number of the first of these words */
    int32_t complete; /* whether that has no further letter */
} WordHead;

/* Sorted words. Even with 100,000 of them, nearly every look-up needs only their heads, which are
   contiguous; a word itself is elsewhere in memory. */
typedef struct {
    PyObject_HEAD
    PyObject *words;
    WordHead *head;
    int32_t heads, head_room;
} WordList;

/* The first two letters of a text from `begin` on; the lower half is 0 where there is one alone. */
static uint64_t
word_head(PyObject *text, Py_ssize_t begin, Py_ssize_t length)
{
    uint64_t first = PyUnicode_ReadChar(text, begin), second = 0;
    if (begin + 1 < length) {
        second = (uint64_t)PyUnicode_ReadChar(text, begin + 1) + 1;
    }
    return first << 32 | second;
}

static int
word_list_fill(WordList *self)
{
    Py_ssize_t count = PyTuple_Size(self->words);
    for (Py_ssize_t number = 0; number < count && number < MAX_INTS; number++) {
        PyObject *word = PyTuple_GetItem(self->words, number);
        if (!PyUnicode_Check(word)) {
            return failed("a list of words takes strings");
        }
        Py_ssize_t length = PyUnicode_GetLength(word);
        if (length == 0) {
            continue;
        }
        WordHead made = {word_head(word, 0, length), (int32_t)number, length <= 2};
        uint64_t before = self->heads ? self->head[self->heads - 1].letters : 0;
        if (self->heads && made.letters < before) {
            return failed("a list of words must be in order");
        }
        if (self->heads && made.letters == before) {
            continue;
        }
        if (grown((void **)&self->head, &self->head_room, (int64_t)self->heads + 1,
                  sizeof(WordHead)) < 0) {
            return ERROR;
        }
        self->head[self->heads++] = made;
    }
    return count < MAX_INTS ? 0 : failed("a list of words is too long");
}

static PyObject *
word_list_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"words", NULL};
    PyObject *words;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &words)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    WordList *self = (WordList *)alloc(type, 0);
    if (self != NULL
        && ((self->words = PySequence_Tuple(words)) == NULL || word_list_fill(self) < 0)) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void
word_list_dealloc(WordList *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_CLEAR(self->words);
    PyMem_Free(self->head);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

#define COMPLETE 2 /* a text is a word */

/* Whether `text` begins a word, or is a COMPLETE one, of the words from `low` to `high`. */
static int
word_goes_on_among(PyObject *words, Py_ssize_t low, Py_ssize_t high, PyObject *text)
{
    Py_ssize_t after = high;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        int order = PyUnicode_Compare(PyTuple_GetItem(words, middle), text);
        if (order == -1 && PyErr_Occurred()) {
            return ERROR;
        }
        if (order < 0) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == after) {
        return 0;
    }
    PyObject *word = PyTuple_GetItem(words, low);
    int begins = (int)PyUnicode_Tailmatch(word, text, 0, PY_SSIZE_T_MAX, -1);
    return begins > 0 && PyUnicode_GetLength(word) == PyUnicode_GetLength(text) ? COMPLETE
                                                                                : begins;
}

/* Whether a text from `begin` to its end, `length`, begins a longer word, or is a COMPLETE one; ERROR
   with an error set. */
static int
word_goes_on(const WordList *list, PyObject *text, Py_ssize_t begin, Py_ssize_t length)
{
    uint64_t letters = word_head(text, begin, length);
    int32_t low = 0, high = list->heads;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (list->head[middle].letters < letters) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == list->heads) {
        return 0;
    }
    const WordHead *head = &list->head[low];
    if (length - begin == 1 && head->letters != letters) {
        return head->letters >> 32 == letters >> 32;
    }
    if (length - begin <= 2 || head->letters != letters) {
        return head->letters != letters ? 0 : head->complete ? COMPLETE : 1;
    }
    PyObject *end = PyUnicode_Substring(text, begin, length);
    if (end == NULL) {
        return ERROR;
    }
    Py_ssize_t after = low + 1 < list->heads ? head[1].first : PyTuple_Size(list->words);
    int result = word_goes_on_among(list->words, head->first, after, end);
    Py_DECREF(end);
    return result;
}

static int
is_word_list(PyObject *given)
{
    if (PyType_GetSlot(Py_TYPE(given), Py_tp_dealloc) != (void *)word_list_dealloc) {
        PyErr_SetString(PyExc_TypeError, "a table of words needs lists of words");
        return 0;
    }
    return 1;
}

static PyType_Slot word_list_slots[] = {
    {Py_tp_doc, "Words in order."},
    {Py_tp_new, word_list_new},
    {Py_tp_dealloc, word_list_dealloc},
    {0, NULL},
};

static PyType_Spec word_list_spec = {
    "guardstream.scan._native.WordList",
    sizeof(WordList),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    word_list_slots,
};

#endif
