/* The search's native form, `guardstream.scan._native`: what `stepper.py` and `aho_corasick.py` do,
   over tables of ints. It knows no policy, no rule and no match.

   Every index that comes from Python is checked where it enters a table, so that reading need not
   check it again; every index that comes from text is checked where it is used. Python is called
   only between characters: for the class of a character, for a pattern's program when it first wakes,
   and for what a large counter is written out to. All tables are guarded by the GIL. */

#include "matcher.h"
#include "stream.h"
#include "words.h"

typedef struct {
    PyObject *stream, *word_stream;
} State;

static int
native_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyType_Spec *specs[] = {&machine_spec,    &stream_spec,      &word_list_spec,
                            &word_table_spec, &word_stream_spec, &matcher_spec};
    const char *names[] = {"Machine", "Stream", "WordList", "WordTable", "WordStream", "Matcher"};
    PyObject **kept[] = {NULL, &state->stream, NULL, NULL, &state->word_stream, NULL};
    for (int index = 0; index < 6; index++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[index], NULL);
        if (type == NULL || PyModule_AddObjectRef(module, names[index], type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        if (kept[index] != NULL) {
            *kept[index] = Py_NewRef(type);
        }
        Py_DECREF(type);
    }
    return 0;
}

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->stream);
    Py_VISIT(state->word_stream);
    return 0;
}

static int
native_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->stream);
    Py_CLEAR(state->word_stream);
    return 0;
}

/* --- all searches of a stream, in step ------------------------------------------------------ */

#define MAX_SEARCHES 64

/* The searches, by kind. */
typedef struct {
    Stream *stream[MAX_SEARCHES];
    WordStream *words[MAX_SEARCHES];
    int streams, word_streams;
} Searches;

static int
searches_taken(const State *state, PyObject *given, Searches *all)
{
    all->streams = all->word_streams = 0;
    if (PyTuple_Size(given) > MAX_SEARCHES) {
        return failed("too many searches are read together");
    }
    for (Py_ssize_t index = 0; index < PyTuple_Size(given); index++) {
        PyObject *search = PyTuple_GetItem(given, index);
        if (PyObject_TypeCheck(search, (PyTypeObject *)state->stream)) {
            all->stream[all->streams++] = (Stream *)search;
        }
        else if (PyObject_TypeCheck(search, (PyTypeObject *)state->word_stream)) {
            all->words[all->word_streams++] = (WordStream *)search;
        }
        else {
            PyErr_SetString(PyExc_TypeError, "only streams are read together");
            return ERROR;
        }
    }
    for (int index = 0; index < all->streams; index++) {
        if (is_busy(all->stream[index])) {
            return ERROR;
        }
    }
    for (int index = 0; index < all->word_streams; index++) {
        if (is_word_busy(all->words[index])) {
            return ERROR;
        }
    }
    return 0;
}

static void
searches_busy(const Searches *all, uint8_t busy)
{
    for (int index = 0; index < all->streams; index++) {
        all->stream[index]->busy = busy;
    }
    for (int index = 0; index < all->word_streams; index++) {
        all->words[index]->busy = busy;
    }
}

/* Read a character by all searches: returns what it asks for, or ERROR. */
static int
searches_step(const Searches *all, Py_UCS4 code)
{
    int due = 0;
    for (int index = 0; index < all->streams; index++) {
        int needs = stream_step(all->stream[index], code);
        if (needs < 0) {
            return ERROR;
        }
        due |= needs;
    }
    for (int index = 0; index < all->word_streams; index++) {
        int found = word_step(all->words[index], code);
        if (found < 0) {
            return ERROR;
        }
        due |= found;
    }
    return due;
}

static long long
searches_held(const Searches *all)
{
    long long held = 0;
    for (int index = 0; index < all->streams; index++) {
        long long waits = all->stream[index]->now.offset - oldest_hold(all->stream[index]);
        held = waits > held ? waits : held;
    }
    for (int index = 0; index < all->word_streams; index++) {
        int32_t waits = word_held(all->words[index]);
        held = waits > held ? waits : held;
    }
    return held;
}

/* Append (index, held, matches) for the matches that the last character has made certain. */
static int
searches_settle(const Searches *all, Py_ssize_t index, PyObject *settled)
{
    PyObject *found = PyList_New(0);
    for (int which = 0; found != NULL && which < all->streams; which++) {
        if (all->stream[which]->due
            && stream_settle(all->stream[which], found, NULL) < 0) {
            Py_CLEAR(found);
        }
        all->stream[which]->due = 0;
    }
    for (int which = 0; found != NULL && which < all->word_streams; which++) {
        if (is_word_due(all->words[which]) && word_settle(all->words[which], found) < 0) {
            Py_CLEAR(found);
        }
    }
    PyObject *made =
        found == NULL ? NULL : Py_BuildValue("(nLN)", index, searches_held(all), found);
    int result = made == NULL ? ERROR : PyList_Append(settled, made);
    Py_XDECREF(made);
    return result;
}

/* Read `text[begin:end]` by all searches, up to the first character after which somebody must look:
   returns what that asks for, 0 at the end, or ERROR. `settled` is a new list where matches have
   been made certain before that, otherwise NULL. */
static int
searches_run(const Searches *all, PyObject *text, Py_ssize_t *begin, Py_ssize_t end,
             PyObject **settled)
{
    int due = 0;
    for (int index = 0; index < all->streams; index++) {
        all->stream[index]->hits.count = 0;
    }
    searches_busy(all, 1);
    while (*begin < end && due == 0) {
        due = searches_step(all, PyUnicode_ReadChar(text, (*begin)++));
        if (due != CERTAIN) {
            continue;
        }
        if (*settled == NULL) {
            *settled = PyList_New(0);
        }
        due = *settled == NULL ? ERROR : searches_settle(all, *begin, *settled);
    }
    searches_busy(all, 0);
    if (due < 0) {
        for (int index = 0; index < all->streams; index++) {
            all->stream[index]->broken = 1;
        }
        Py_CLEAR(*settled);
    }
    return due;
}

/* (index, held, due, settled), of which the last reference is taken */
static PyObject *
searches_ran(const Searches *all, Py_ssize_t index, int due, PyObject *settled)
{
    return Py_BuildValue("(nLON)", index, searches_held(all), due ? Py_True : Py_False,
                         settled == NULL ? Py_NewRef(Py_None) : settled);
}

/* run(searches, text, begin, end) -> (index, held, due, settled): read up to the first character
   after which somebody must look, which is `due` then. What has been `settled` before that are
   (index, held, matches): the index after a character, how many characters are held there, and
   what is masked of the matches that it has made certain. */
static PyObject *
native_run(PyObject *module, PyObject *args)
{
    PyObject *given, *text, *settled = NULL;
    Py_ssize_t begin, end;
    Searches all;
    if (!PyArg_ParseTuple(args, "O!Unn", &PyTuple_Type, &given, &text, &begin, &end)
        || searches_taken(PyModule_GetState(module), given, &all) < 0) {
        return NULL;
    }
    if (begin < 0 || begin > end || end > PyUnicode_GetLength(text)) {
        PyErr_SetString(PyExc_IndexError, "a part of the text is not in it");
        return NULL;
    }
    int due = searches_run(&all, text, &begin, end, &settled);
    return due < 0 ? NULL : searches_ran(&all, begin, due, settled);
}

/* read(searches, text): as `run` all of the text; how many characters are held, if that is all */
static PyObject *
native_read(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *settled = NULL;
    Py_ssize_t index = 0;
    Searches all;
    if (count != 2 || !PyTuple_Check(args[0]) || !PyUnicode_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "read takes searches in a tuple, and a text");
        return NULL;
    }
    if (searches_taken(PyModule_GetState(module), args[0], &all) < 0) {
        return NULL;
    }
    int due = searches_run(&all, args[1], &index, PyUnicode_GetLength(args[1]), &settled);
    if (due < 0) {
        return NULL;
    }
    if (due == 0 && settled == NULL) {
        return PyLong_FromLongLong(searches_held(&all));
    }
    return searches_ran(&all, index, due, settled);
}

static PyMethodDef native_methods[] = {
    {"run", (PyCFunction)native_run, METH_VARARGS, "Read on by all searches of a stream."},
    {"read", (PyCFunction)(void (*)(void))native_read, METH_FASTCALL, "Read a whole text by them."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Searches streams for patterns and words, over tables of ints.",
    .m_size = sizeof(State),
    .m_methods = native_methods,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
