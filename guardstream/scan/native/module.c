/* The search's native form, `guardstream.scan._native`: what `stepper.py` and `aho_corasick.py` do,
   over tables of ints. It knows no policy, no rule and no match.

   Every index that comes from Python is checked where it enters a table, so that reading need not
   check it again; every index that comes from text is checked where it is used. Python is called
   only between characters: for the sets that a page of characters is in, for a pattern's program when
   it first wakes, for what a large counter is written out to, and for the next state of words where
   several are in progress or one is complete. All tables are guarded by the GIL.

   The files, each of which needs only those above it, and the Python modules that say why:

       memory.h                         growing arrays, and tables that number their keys
       given.h                          checks of what Python gives
       characters.h                     the sets that characters are in: alphabet
       automaton.h, closure.h, dfa.h    one pattern's automaton: nfa, closure, context, dfa, registers
       joints.h, machine.h              what streams share: joints, machine
       matches.h, stand.h, step.h       one stream's patterns: stepper; the matches that are not
       again.h, stream.h                settled, where it stands, reading, reading again, the object
       matcher.h                        captures and back-references: matcher
       wordlist.h, words.h              words: aho_corasick, words/forms
       reader.h                         all searches of a stream: reader */

#include "matcher.h"
#include "reader.h"
#include "stream.h"
#include "words.h"

static int
native_exec(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    const struct {
        PyType_Spec *spec;
        const char *name;
        PyObject **kept; /* where the module keeps the type, too, to know its instances by */
    } types[] = {
        {&characters_spec, "Characters", NULL},
        {&machine_spec, "Machine", NULL},
        {&stream_spec, "Stream", &state->stream_type},
        {&word_list_spec, "WordList", NULL},
        {&word_table_spec, "WordTable", NULL},
        {&word_stream_spec, "WordStream", &state->word_stream_type},
        {&matcher_spec, "Matcher", NULL},
        {&reader_spec, "Reader", NULL},
    };
    for (size_t index = 0; index < COUNT_OF(types); index++) {
        PyObject *type = PyType_FromModuleAndSpec(module, types[index].spec, NULL);
        if (type == NULL || PyModule_AddObjectRef(module, types[index].name, type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        if (types[index].kept != NULL) {
            *types[index].kept = Py_NewRef(type);
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
