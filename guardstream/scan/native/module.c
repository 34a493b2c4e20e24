/* The search's native form, `guardstream.scan._native`: what `stepper.py` and `aho_corasick.py` do,
   over tables of ints. It knows no policy, no rule and no match.

   Every index that comes from Python is checked where it enters a table, so that reading need not
   check it again; every index that comes from text is checked where it is used. Python is called
   only between characters: for the class of a character, and for a pattern's program when it first
   wakes, place by place as they are reached. All tables are guarded by the GIL. */

#include "stream.h"
#include "words.h"

typedef struct {
    PyObject *stream, *word_stream;
} State;

static int
native_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyType_Spec *specs[] = {&machine_spec, &stream_spec, &word_table_spec, &word_stream_spec};
    const char *names[] = {"Machine", "Stream", "WordTable", "WordStream"};
    PyObject **kept[] = {NULL, &state->stream, NULL, &state->word_stream};
    for (int index = 0; index < 4; index++) {
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

/* Read a text by one search: returns how many characters are held, -1 where somebody must look, or
   -2 with an error set. */
static long long
read_by(State *state, PyObject *search, PyObject *text)
{
    Py_ssize_t length = PyUnicode_GetLength(text);
    int attention = 0;
    if (PyObject_TypeCheck(search, (PyTypeObject *)state->stream)) {
        Stream *self = (Stream *)search;
        if (is_busy(self) || stream_read(self, text, 0, length, &attention) < 0) {
            return -2;
        }
        return attention ? -1 : self->now.offset - stream_oldest(self);
    }
    if (PyObject_TypeCheck(search, (PyTypeObject *)state->word_stream)) {
        WordStream *self = (WordStream *)search;
        if (is_word_busy(self) || word_read(self, text, 0, length, &attention) < 0) {
            return -2;
        }
        return attention ? -1 : self->table->holds ? self->table->node[self->node].held : 0;
    }
    PyErr_SetString(PyExc_TypeError, "only streams are read together");
    return -2;
}

static int
unread_by(State *state, PyObject *search)
{
    if (PyObject_TypeCheck(search, (PyTypeObject *)state->word_stream)) {
        word_back((WordStream *)search);
        return 0;
    }
    Stream *self = (Stream *)search;
    self->hits.count = 0;
    return stand_copy(&self->now, &self->mark);
}

/* read(searches, text) -> how many characters are held, or -1 with nothing read where somebody must
   look */
static PyObject *
native_read(PyObject *module, PyObject *args)
{
    PyObject *searches, *text;
    State *state = PyModule_GetState(module);
    if (!PyArg_ParseTuple(args, "O!U", &PyTuple_Type, &searches, &text)) {
        return NULL;
    }
    long long held = 0;
    for (Py_ssize_t index = 0; index < PyTuple_Size(searches); index++) {
        long long waits = read_by(state, PyTuple_GetItem(searches, index), text);
        if (waits == -2) {
            return NULL;
        }
        if (waits == -1) {
            for (; index >= 0; index--) {
                if (unread_by(state, PyTuple_GetItem(searches, index)) < 0) {
                    return NULL;
                }
            }
            return PyLong_FromLong(-1);
        }
        held = waits > held ? waits : held;
    }
    return PyLong_FromLongLong(held);
}

static PyMethodDef native_methods[] = {
    {"read", (PyCFunction)native_read, METH_VARARGS, "Read a text by all searches of a stream."},
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
