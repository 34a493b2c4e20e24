/* The search's native form, `guardstream.scan._native`: what `stepper.py` and `aho_corasick.py` do,
   over tables of ints. It knows no policy, no rule and no match.

   Every index that comes from Python is checked where it enters a table, so that reading need not
   check it again; every index that comes from text is checked where it is used. Python is called
   only between characters: for the class of a character, and for a pattern's program when it first
   wakes, place by place as they are reached. All tables are guarded by the GIL. */

#include "stream.h"
#include "words.h"

static int
native_exec(PyObject *module)
{
    PyType_Spec *specs[] = {&machine_spec, &stream_spec, &word_table_spec, &word_stream_spec};
    const char *names[] = {"Machine", "Stream", "WordTable", "WordStream"};
    for (int index = 0; index < 4; index++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[index], NULL);
        if (type == NULL || PyModule_AddObjectRef(module, names[index], type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        Py_DECREF(type);
    }
    return 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Searches streams for patterns and words, over tables of ints.",
    .m_slots = native_slots,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
