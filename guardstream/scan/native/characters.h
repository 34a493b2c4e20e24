/* What is known of characters, by page: a number for each, MISSING while it has none.

   All machines of a set of patterns share what sets each character is in. Python judges a page when
   the first character of it is read (`native.NativeSets`). */

#ifndef GUARDSTREAM_CHARACTERS_H
#define GUARDSTREAM_CHARACTERS_H

#include "given.h"

#define PAGE 256
#define PAGES (0x110000 / PAGE)
#define MISSING UINT16_MAX
#define MAX_CLASSES 60000

typedef struct {
    PyObject_HEAD
    PyObject *judge; /* (code, how many signatures are known) -> (rows of its page, the others) */
    int32_t words;
    Ints signatures; /* `words` ints each */
    uint16_t *pages[PAGES];
} Characters;

/* The page that a character is on; NULL with an error set. */
static uint16_t *
page_of(uint16_t **pages, Py_UCS4 code)
{
    uint16_t **page = &pages[code / PAGE];
    if (*page == NULL) {
        *page = PyMem_Malloc(PAGE * sizeof(uint16_t));
        if (*page == NULL) {
            PyErr_NoMemory();
        }
        else {
            memset(*page, 0xFF, PAGE * sizeof(uint16_t));
        }
    }
    return *page;
}

static void
pages_free(uint16_t **pages)
{
    for (int32_t page = 0; page < PAGES; page++) {
        PyMem_Free(pages[page]);
    }
}

/* Enter the numbers of rows of characters, (number, first, last), of the page that `code` is on; all
   are below a limit. Where `known` lists some, the others are left out: another thread is about to
   give them, or nobody has asked. */
static int
rows_filled(uint16_t **pages, const Ints *known, int32_t limit, Py_UCS4 code, const Ints *rows)
{
    uint16_t *page = page_of(pages, code);
    if (page == NULL) {
        return ERROR;
    }
    if (rows->count % 3) {
        return failed("rows of characters are cut off");
    }
    for (const int32_t *row = rows->at; row < rows->at + rows->count; row += 3) {
        int32_t number = row[0], first = row[1], last = row[2];
        if (first < 0 || first / PAGE != (int)(code / PAGE) || last / PAGE != (int)(code / PAGE)) {
            return failed("the characters of a row are not of one page");
        }
        if (!is_within(number, 0, limit)) {
            return ERROR;
        }
        if (known != NULL && ints_get(known, number) == NONE) {
            continue;
        }
        for (; first <= last; first++) {
            page[first % PAGE] = (uint16_t)number;
        }
    }
    return page[code % PAGE] == MISSING ? failed("the number of a character is missing") : 0;
}

/* Take rows of characters as Python gives them, ints; returns the number of `code`, or ERROR. */
static int32_t
rows_taken(uint16_t **pages, const Ints *known, int32_t limit, Py_UCS4 code, PyObject *given)
{
    Ints rows = {0};
    int result
        = ints_taken(given, &rows) < 0 ? ERROR : rows_filled(pages, known, limit, code, &rows);
    ints_free(&rows);
    return result < 0 ? ERROR : pages[code / PAGE][code % PAGE];
}

/* --- the sets that characters are in -------------------------------------------------------- */

/* Take a signature: an int for each 32 sets. */
static int
signature_given(const Characters *self, PyObject *given, uint32_t **bits)
{
    Ints taken = {0};
    if (ints_taken(given, &taken) < 0 || taken.count != self->words) {
        ints_free(&taken);
        return PyErr_Occurred() ? ERROR : failed("a table of the search is cut off");
    }
    *bits = (uint32_t *)taken.at;
    return 0;
}

static const uint32_t *
signature_bits(const Characters *self, int32_t number)
{
    return (const uint32_t *)self->signatures.at + (size_t)number * (size_t)self->words;
}

/* Take the signatures from number `first` on; another thread may have been faster. */
static int
signatures_taken(Characters *self, int32_t first, PyObject *given)
{
    Ints bits = {0};
    int result = ints_taken(given, &bits);
    if (result == 0 && bits.count % self->words) {
        result = failed("a table of the search is cut off");
    }
    int32_t known = self->signatures.count - first * self->words;
    if (result == 0 && known < bits.count) {
        result = ints_append(&self->signatures, bits.at + known, bits.count - known) < 0 ? ERROR : 0;
    }
    ints_free(&bits);
    return result;
}

/* Ask which sets the characters of a page are in. */
static int
characters_judge(Characters *self, Py_UCS4 code)
{
    int32_t known = self->signatures.count / self->words;
    PyObject *rows, *signatures;
    PyObject *found = PyObject_CallFunction(self->judge, "Ii", (unsigned int)code, (int)known);
    if (found == NULL) {
        return ERROR;
    }
    int result = ERROR;
    if (!PyTuple_Check(found)) {
        failed("what is known of characters must be a tuple");
    }
    else if (PyArg_ParseTuple(found, "SS", &rows, &signatures)
             && signatures_taken(self, known, signatures) == 0) {
        int32_t limit = self->signatures.count / self->words;
        result = rows_taken(self->pages, NULL, limit < MAX_CLASSES ? limit : MAX_CLASSES, code, rows);
    }
    Py_DECREF(found);
    return result < 0 ? ERROR : 0;
}

/* The number of the signature of a character; ERROR with an error set. */
static int32_t
characters_number(Characters *self, Py_UCS4 code)
{
    if (code >= 0x110000) {
        return failed("no character has this code");
    }
    const uint16_t *page = self->pages[code / PAGE];
    if ((page == NULL || page[code % PAGE] == MISSING) && characters_judge(self, code) < 0) {
        return ERROR;
    }
    return self->pages[code / PAGE][code % PAGE];
}

/* --- as an object --------------------------------------------------------------------------- */

static PyObject *
characters_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"words", "judge", NULL};
    PyObject *judge;
    int words;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "iO", names, &words, &judge)
        || !is_within(words, 1, MAX_CLASSES)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Characters *self = (Characters *)alloc(type, 0);
    if (self != NULL) {
        self->judge = Py_NewRef(judge);
        self->words = words;
    }
    return (PyObject *)self;
}

static int
characters_traverse(Characters *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->judge);
    return 0;
}

static int
characters_clear(Characters *self)
{
    Py_CLEAR(self->judge);
    return 0;
}

static void
characters_dealloc(Characters *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    characters_clear(self);
    pages_free(self->pages);
    ints_free(&self->signatures);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

static int
is_characters(PyObject *given)
{
    if (PyType_GetSlot(Py_TYPE(given), Py_tp_dealloc) != (void *)characters_dealloc) {
        PyErr_SetString(PyExc_TypeError, "a machine needs what is known of characters");
        return 0;
    }
    return 1;
}

static PyType_Slot characters_slots[] = {
    {Py_tp_doc, "Which sets characters are in."},
    {Py_tp_new, characters_new},
    {Py_tp_dealloc, characters_dealloc},
    {Py_tp_traverse, characters_traverse},
    {Py_tp_clear, characters_clear},
    {0, NULL},
};

static PyType_Spec characters_spec = {
    "guardstream.scan._native.Characters",
    sizeof(Characters),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    characters_slots,
};

#endif
