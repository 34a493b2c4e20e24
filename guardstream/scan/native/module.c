/* The search's native form, `guardstream.scan._native`: what `stepper.py` and `aho_corasick.py` do,
   over tables of ints. It knows no policy, no rule and no match.

   Every index that comes from Python is checked where it enters a table, so that reading need not
   check it again; every index that comes from text is checked where it is used. Python is called
   only between characters: for the sets that a page of characters is in, for a pattern's program when
   it first wakes, for what a large counter is written out to, and for the next state of words where
   several are in progress or one is complete. All tables are guarded by the GIL. */

#include "matcher.h"
#include "reader.h"
#include "stream.h"
#include "words.h"

static int
native_exec(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    PyType_Spec *specs[] = {&characters_spec, &machine_spec,     &stream_spec,  &word_list_spec,
                            &word_table_spec, &word_stream_spec, &matcher_spec, &reader_spec};
    const char *names[] = {"Characters", "Machine",    "Stream",  "WordList",
                           "WordTable",  "WordStream", "Matcher", "Reader"};
    PyObject **kept[] = {NULL, NULL, &state->stream_type,      NULL,
                         NULL, &state->word_stream_type, NULL, NULL};
    for (int index = 0; index < 8; index++) {
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
    ModuleState *state = PyModule_GetState(module);
    Py_VISIT(state->stream_type);
    Py_VISIT(state->word_stream_type);
    return 0;
}

static int
native_clear(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    Py_CLEAR(state->stream_type);
    Py_CLEAR(state->word_stream_type);
    return 0;
}

static void
native_free(void *module)
{
    native_clear(module);
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Searches streams for patterns and words, over tables of ints.",
    .m_size = sizeof(ModuleState),
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
    .m_free = native_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
