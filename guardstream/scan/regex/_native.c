/* Steps the automata of many patterns over one stream: the native form of `stepper.py`.

   Python builds states and transitions, when the text first reaches them; what it has built stands
   here in tables of ints, one for each automaton until it is flushed. Stepping reads these tables
   alone and calls Python only for what is missing. It knows no policy, no rule and no match: a
   transition that completes a match is handed back as Python made it.

   Every index that comes from Python is checked where it enters a table, so that stepping need not
   check it again; every index that comes from text is checked where it is used. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define NONE (-1)
#define PAGES (0x110000 >> 8)
#define MISSING UINT16_MAX
#define MAX_CLASSES 60000
#define MAX_INTS (1 << 28)

/* Offsets as in registers.py: a source below 0 is counted from the character's own offset. */
#define RESOLVED(source, registers, offset) \
    ((source) >= 0 ? (registers)[source] : (offset) + 2 + (source))

/* --- growing arrays ---------------------------------------------------------------------- */

static int
grown(void **items, Py_ssize_t *capacity, Py_ssize_t needed, size_t size)
{
    if (needed <= *capacity) {
        return 0;
    }
    if (needed > MAX_INTS) {
        PyErr_SetString(PyExc_OverflowError, "a table of the search is too large");
        return -1;
    }
    Py_ssize_t room = *capacity ? *capacity : 8;
    while (room < needed) {
        room *= 2;
    }
    void *moved = PyMem_Realloc(*items, (size_t)room * size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *items = moved;
    *capacity = room;
    return 0;
}

static int
int_of(PyObject *number, long long low, long long high, long long *result)
{
    long long value = PyLong_AsLongLong(number);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (value < low || value > high) {
        PyErr_SetString(PyExc_ValueError, "a number of the search is out of range");
        return -1;
    }
    *result = value;
    return 0;
}

/* --- a table: the states of one automaton ------------------------------------------------- */

/* Where candidates began: the longest fixed distance, and `count` registers from `first` on in the
   table's ints. */
typedef struct {
    int64_t distance;
    int32_t first;
    int32_t count;
} Live;

typedef struct {
    int32_t edges;     /* the first of its edges in the table's ints, by class */
    int32_t classes;   /* how many of them there is room for */
    int32_t registers; /* how many registers a stream has here */
    int32_t idle;
    Live starts;
    Live holds;
} Node;

typedef struct {
    int32_t target;
    int32_t moves;   /* where in the table's ints what the registers become stands, or NONE */
    int32_t accepts; /* its matches' place in the list of them, or NONE */
} Edge;

typedef struct {
    PyObject_HEAD
    PyObject *states;  /* the states as Python knows them, by node */
    PyObject *accepts; /* what edges accept, as Python knows it */
    Node *nodes;
    Py_ssize_t node_count, node_room;
    Edge *edges;
    Py_ssize_t edge_count, edge_room;
    int32_t *ints;
    Py_ssize_t int_count, int_room;
} Table;

static PyObject *
table_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (!PyArg_ParseTuple(args, "") || (keywords && PyDict_Size(keywords))) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a table takes no arguments");
        }
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Table *self = (Table *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->states = PyList_New(0);
    self->accepts = PyList_New(0);
    if (self->states == NULL || self->accepts == NULL) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
table_traverse(Table *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->states);
    Py_VISIT(self->accepts);
    return 0;
}

static int
table_clear(Table *self)
{
    Py_CLEAR(self->states);
    Py_CLEAR(self->accepts);
    return 0;
}

static void
table_dealloc(Table *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    table_clear(self);
    PyMem_Free(self->nodes);
    PyMem_Free(self->edges);
    PyMem_Free(self->ints);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* Append ints; returns where they begin, or NONE with an error set. */
static int32_t
table_append(Table *self, const int32_t *ints, Py_ssize_t count)
{
    if (grown((void **)&self->ints, &self->int_room, self->int_count + count + 1,
              sizeof(int32_t)) < 0) {
        return NONE;
    }
    int32_t first = (int32_t)self->int_count;
    if (count) {
        memcpy(self->ints + first, ints, (size_t)count * sizeof(int32_t));
    }
    self->int_count += count;
    return first;
}

/* Read a Python `Live`: (distance, registers). */
static int
live_of(Table *self, PyObject *given, long long registers, Live *live)
{
    PyObject *numbers;
    long long distance;
    if (!PyArg_ParseTuple(given, "LO!", &distance, &PyTuple_Type, &numbers)) {
        return -1;
    }
    Py_ssize_t count = PyTuple_Size(numbers);
    live->distance = distance;
    live->first = (int32_t)self->int_count;
    live->count = (int32_t)count;
    for (Py_ssize_t index = 0; index < count; index++) {
        long long number;
        if (int_of(PyTuple_GetItem(numbers, index), 0, registers - 1, &number) < 0) {
            return -1;
        }
        int32_t value = (int32_t)number;
        if (table_append(self, &value, 1) == NONE) {
            return -1;
        }
    }
    return 0;
}

/* add(state, registers, idle, starts, holds) -> the node's number */
static PyObject *
table_add(Table *self, PyObject *args)
{
    PyObject *state, *starts, *holds;
    int registers, idle;
    if (!PyArg_ParseTuple(args, "OipO!O!", &state, &registers, &idle, &PyTuple_Type, &starts,
                          &PyTuple_Type, &holds)) {
        return NULL;
    }
    if (registers < 0 || registers > MAX_CLASSES) {
        PyErr_SetString(PyExc_ValueError, "a state has too many registers");
        return NULL;
    }
    if (grown((void **)&self->nodes, &self->node_room, self->node_count + 1, sizeof(Node)) < 0) {
        return NULL;
    }
    Node node = {0};
    node.registers = registers;
    node.idle = idle;
    if (live_of(self, starts, registers, &node.starts) < 0
        || live_of(self, holds, registers, &node.holds) < 0
        || PyList_Append(self->states, state) < 0) {
        return NULL;
    }
    self->nodes[self->node_count] = node;
    return PyLong_FromSsize_t(self->node_count++);
}

/* Read what the registers become, a tuple of tuples of sources, into a list of ints: how many
   there are, and for each how many sources it is the least of, and these. */
static int
moves_of(PyObject *given, int32_t from, int32_t to, int32_t **items, Py_ssize_t *count,
         Py_ssize_t *room)
{
    Py_ssize_t size = PyTuple_Size(given);
    if (size < 0) {
        return -1;
    }
    if (size != to) {
        PyErr_SetString(PyExc_ValueError, "a transition does not fill its state's registers");
        return -1;
    }
    *count = 0;
    if (grown((void **)items, room, 1, sizeof(int32_t)) < 0) {
        return -1;
    }
    (*items)[(*count)++] = (int32_t)size;
    for (Py_ssize_t index = 0; index < size; index++) {
        PyObject *least = PyTuple_GetItem(given, index);
        Py_ssize_t sources = PyTuple_Size(least);
        if (sources < 0) {
            return -1;
        }
        if (sources == 0) {
            PyErr_SetString(PyExc_ValueError, "a register comes from nowhere");
            return -1;
        }
        if (grown((void **)items, room, *count + sources + 1, sizeof(int32_t)) < 0) {
            return -1;
        }
        (*items)[(*count)++] = (int32_t)sources;
        for (Py_ssize_t place = 0; place < sources; place++) {
            long long source;
            if (int_of(PyTuple_GetItem(least, place), -MAX_INTS, from - 1, &source) < 0) {
                return -1;
            }
            (*items)[(*count)++] = (int32_t)source;
        }
    }
    return 0;
}

static int
is_node(Table *self, long long number)
{
    if (number < 0 || number >= self->node_count) {
        PyErr_SetString(PyExc_ValueError, "a table has no such state");
        return 0;
    }
    return 1;
}

/* Make room for a node's edges up to a class. */
static int
table_room(Table *self, Node *node, int32_t class)
{
    if (class < node->classes) {
        return 0;
    }
    int32_t classes = node->classes ? node->classes : 4;
    while (classes <= class) {
        classes *= 2;
    }
    int32_t first = (int32_t)self->int_count;
    if (grown((void **)&self->ints, &self->int_room, self->int_count + classes,
              sizeof(int32_t)) < 0) {
        return -1;
    }
    for (int32_t index = 0; index < classes; index++) {
        self->ints[first + index] =
            index < node->classes ? self->ints[node->edges + index] : NONE;
    }
    self->int_count += classes;
    node->edges = first;
    node->classes = classes;
    return 0;
}

/* link(node, class, target, moves or None, accepts) */
static PyObject *
table_link(Table *self, PyObject *args)
{
    int number, class, target;
    PyObject *moves, *accepts;
    if (!PyArg_ParseTuple(args, "iiiOO!", &number, &class, &target, &moves, &PyTuple_Type,
                          &accepts)) {
        return NULL;
    }
    if (!is_node(self, number) || !is_node(self, target)) {
        return NULL;
    }
    if (class < 0 || class >= MAX_CLASSES) {
        PyErr_SetString(PyExc_ValueError, "a class of characters is out of range");
        return NULL;
    }
    Edge edge = {target, NONE, NONE};
    if (moves != Py_None) {
        int32_t *items = NULL;
        Py_ssize_t count = 0, room = 0;
        int failed = moves_of(moves, self->nodes[number].registers, self->nodes[target].registers,
                              &items, &count, &room);
        edge.moves = failed ? NONE : table_append(self, items, count);
        PyMem_Free(items);
        if (edge.moves == NONE) {
            return NULL;
        }
    }
    else if (self->nodes[target].registers > self->nodes[number].registers) {
        PyErr_SetString(PyExc_ValueError, "a transition does not fill its state's registers");
        return NULL;
    }
    if (PyTuple_Size(accepts)) {
        edge.accepts = (int32_t)PyList_Size(self->accepts);
        if (PyList_Append(self->accepts, accepts) < 0) {
            return NULL;
        }
    }
    if (grown((void **)&self->edges, &self->edge_room, self->edge_count + 1, sizeof(Edge)) < 0
        || table_room(self, &self->nodes[number], class) < 0) {
        return NULL;
    }
    self->ints[self->nodes[number].edges + class] = (int32_t)self->edge_count;
    self->edges[self->edge_count++] = edge;
    Py_RETURN_NONE;
}

/* unlink(): forget all edges; streams that stand in the states can still leave them */
static PyObject *
table_unlink(Table *self, PyObject *Py_UNUSED(ignored))
{
    for (Py_ssize_t index = 0; index < self->node_count; index++) {
        self->nodes[index].classes = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *
table_state(Table *self, PyObject *number)
{
    long long index;
    if (int_of(number, 0, self->node_count - 1, &index) < 0) {
        return NULL;
    }
    return Py_NewRef(PyList_GetItem(self->states, (Py_ssize_t)index));
}

static PyMethodDef table_methods[] = {
    {"add", (PyCFunction)table_add, METH_VARARGS, "Add a state; return its number."},
    {"link", (PyCFunction)table_link, METH_VARARGS, "Add a transition between two states."},
    {"unlink", (PyCFunction)table_unlink, METH_NOARGS, "Forget all transitions."},
    {"state", (PyCFunction)table_state, METH_O, "A state as Python knows it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "The states and transitions of one automaton."},
    {Py_tp_new, table_new},
    {Py_tp_dealloc, table_dealloc},
    {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear},
    {Py_tp_methods, table_methods},
    {0, NULL},
};

static PyType_Spec table_spec = {
    "guardstream.scan.regex._native.Table",
    sizeof(Table),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    table_slots,
};

/* --- a machine: what all streams of a set of patterns share ------------------------------- */

typedef struct {
    int32_t pattern;
    Table *table;
    Edge edge;
    int32_t *moves; /* what the registers are: the wake's own, or NULL */
} Wake;

typedef struct {
    int32_t count; /* NONE where it is not known */
    Wake *wakes;
} Wakes;

typedef struct {
    PyObject_HEAD
    PyObject *table_type;
    PyObject *classify; /* (code) -> class */
    PyObject *localize; /* (pattern, class) -> class as the pattern tells them apart */
    PyObject *wake;     /* (last, class) -> ((pattern, table, target, moves, accepts), ...) */
    PyObject *build;    /* (pattern, state, class) -> (table, target, moves, accepts) */
    int32_t patterns;
    uint8_t *holding;
    uint16_t *pages[PAGES];
    int32_t **local; /* by pattern, by class */
    Py_ssize_t *local_room;
    Wakes **woken; /* by last class, by class */
    Py_ssize_t *woken_room;
    Py_ssize_t last_room;
    long generation;
    int reading; /* how many streams walk over what is woken just now */
    int stale;   /* to be forgotten as soon as none does */
} Machine;

static void
wakes_free(Wakes *wakes)
{
    for (int32_t index = 0; index < wakes->count; index++) {
        Py_DECREF((PyObject *)wakes->wakes[index].table);
        PyMem_Free(wakes->wakes[index].moves);
    }
    PyMem_Free(wakes->wakes);
    wakes->wakes = NULL;
    wakes->count = NONE;
}

static void
machine_forget(Machine *self)
{
    self->generation++;
    self->stale = self->reading > 0;
    if (self->stale) {
        return;
    }
    for (Py_ssize_t last = 0; last < self->last_room; last++) {
        for (Py_ssize_t class = 0; class < self->woken_room[last]; class++) {
            wakes_free(&self->woken[last][class]);
        }
    }
}

static PyObject *
machine_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"holds", "classify", "localize", "wake", "build", "table", NULL};
    PyObject *holds, *classify, *localize, *wake, *build, *table;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!OOOOO", names, &PyTuple_Type, &holds,
                                     &classify, &localize, &wake, &build, &table)) {
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Machine *self = (Machine *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    Py_ssize_t patterns = PyTuple_Size(holds);
    self->table_type = Py_NewRef(table);
    self->classify = Py_NewRef(classify);
    self->localize = Py_NewRef(localize);
    self->wake = Py_NewRef(wake);
    self->build = Py_NewRef(build);
    self->holding = PyMem_Calloc((size_t)patterns + 1, 1);
    self->local = PyMem_Calloc((size_t)patterns + 1, sizeof(int32_t *));
    self->local_room = PyMem_Calloc((size_t)patterns + 1, sizeof(Py_ssize_t));
    if (!self->holding || !self->local || !self->local_room || patterns > MAX_CLASSES) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    self->patterns = (int32_t)patterns;
    for (Py_ssize_t index = 0; index < patterns; index++) {
        int holding = PyObject_IsTrue(PyTuple_GetItem(holds, index));
        if (holding < 0) {
            Py_DECREF((PyObject *)self);
            return NULL;
        }
        self->holding[index] = (uint8_t)holding;
    }
    return (PyObject *)self;
}

static int
machine_traverse(Machine *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->table_type);
    Py_VISIT(self->classify);
    Py_VISIT(self->localize);
    Py_VISIT(self->wake);
    Py_VISIT(self->build);
    for (Py_ssize_t last = 0; last < self->last_room; last++) {
        for (Py_ssize_t class = 0; class < self->woken_room[last]; class++) {
            Wakes *wakes = &self->woken[last][class];
            for (int32_t index = 0; index < wakes->count; index++) {
                Py_VISIT(wakes->wakes[index].table);
            }
        }
    }
    return 0;
}

static int
machine_clear(Machine *self)
{
    Py_CLEAR(self->table_type);
    Py_CLEAR(self->classify);
    Py_CLEAR(self->localize);
    Py_CLEAR(self->wake);
    Py_CLEAR(self->build);
    machine_forget(self);
    return 0;
}

static void
machine_dealloc(Machine *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    machine_clear(self);
    for (Py_ssize_t last = 0; last < self->last_room; last++) {
        PyMem_Free(self->woken[last]);
    }
    PyMem_Free(self->woken);
    PyMem_Free(self->woken_room);
    for (int32_t index = 0; index < self->patterns; index++) {
        PyMem_Free(self->local[index]);
    }
    PyMem_Free(self->local);
    PyMem_Free(self->local_room);
    PyMem_Free(self->holding);
    for (Py_ssize_t page = 0; page < PAGES; page++) {
        PyMem_Free(self->pages[page]);
    }
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* The class of a character; NONE with an error set. */
static int32_t
machine_class(Machine *self, Py_UCS4 code)
{
    if (code >= 0x110000) {
        PyErr_SetString(PyExc_ValueError, "no character has this code");
        return NONE;
    }
    uint16_t *page = self->pages[code >> 8];
    if (page == NULL) {
        page = PyMem_Malloc(256 * sizeof(uint16_t));
        if (page == NULL) {
            PyErr_NoMemory();
            return NONE;
        }
        memset(page, 0xFF, 256 * sizeof(uint16_t));
        self->pages[code >> 8] = page;
    }
    uint16_t known = page[code & 0xFF];
    if (known != MISSING) {
        return known;
    }
    PyObject *found = PyObject_CallFunction(self->classify, "I", (unsigned int)code);
    if (found == NULL) {
        return NONE;
    }
    long long class;
    int failed = int_of(found, 0, MAX_CLASSES - 1, &class);
    Py_DECREF(found);
    if (failed) {
        return NONE;
    }
    page[code & 0xFF] = (uint16_t)class;
    return (int32_t)class;
}

/* A class as one pattern tells them apart; NONE with an error set. */
static int32_t
machine_local(Machine *self, int32_t pattern, int32_t class)
{
    if (class < self->local_room[pattern] && self->local[pattern][class] != NONE) {
        return self->local[pattern][class];
    }
    PyObject *found = PyObject_CallFunction(self->localize, "ii", pattern, class);
    if (found == NULL) {
        return NONE;
    }
    long long number;
    int failed = int_of(found, 0, MAX_CLASSES - 1, &number);
    Py_DECREF(found);
    if (failed) {
        return NONE;
    }
    Py_ssize_t known = self->local_room[pattern];
    if (grown((void **)&self->local[pattern], &self->local_room[pattern], class + 1,
              sizeof(int32_t)) < 0) {
        return NONE;
    }
    for (; known < self->local_room[pattern]; known++) {
        self->local[pattern][known] = NONE;
    }
    self->local[pattern][class] = (int32_t)number;
    return (int32_t)number;
}

static int
wake_of(Machine *self, PyObject *given, Wake *wake)
{
    PyObject *table, *moves, *accepts;
    int pattern, target;
    if (!PyArg_ParseTuple(given, "iO!iOO!", &pattern, (PyTypeObject *)self->table_type, &table,
                          &target, &moves, &PyTuple_Type, &accepts)) {
        return -1;
    }
    if (pattern < 0 || pattern >= self->patterns) {
        PyErr_SetString(PyExc_ValueError, "no such pattern");
        return -1;
    }
    if (!is_node((Table *)table, target)) {
        return -1;
    }
    wake->pattern = pattern;
    wake->table = (Table *)table;
    wake->edge.target = target;
    wake->edge.moves = NONE;
    wake->edge.accepts = NONE;
    wake->moves = NULL;
    int32_t registers = wake->table->nodes[target].registers;
    if (moves != Py_None) {
        Py_ssize_t count = 0, room = 0;
        if (moves_of(moves, 0, registers, &wake->moves, &count, &room) < 0) {
            PyMem_Free(wake->moves);
            return -1;
        }
    }
    else if (registers) {
        PyErr_SetString(PyExc_ValueError, "a transition does not fill its state's registers");
        return -1;
    }
    if (PyTuple_Size(accepts)) {
        wake->edge.accepts = (int32_t)PyList_Size(wake->table->accepts);
        if (PyList_Append(wake->table->accepts, accepts) < 0) {
            PyMem_Free(wake->moves);
            return -1;
        }
    }
    Py_INCREF(table);
    return 0;
}

/* What a pair of classes wakes; NULL with an error set. */
static Wakes *
machine_wakes(Machine *self, int32_t last, int32_t class)
{
    if (last < self->last_room && class < self->woken_room[last]
        && self->woken[last][class].count != NONE) {
        return &self->woken[last][class];
    }
    long generation = self->generation;
    PyObject *found = PyObject_CallFunction(self->wake, "ii", last, class);
    if (found == NULL) {
        return NULL;
    }
    if (generation != self->generation) {
        /* Building what it wakes has flushed the caches: ask again, of those that are there now. */
        Py_DECREF(found);
        found = PyObject_CallFunction(self->wake, "ii", last, class);
        if (found == NULL) {
            return NULL;
        }
    }
    if (!PyTuple_Check(found)) {
        Py_DECREF(found);
        PyErr_SetString(PyExc_TypeError, "what is woken must be a tuple");
        return NULL;
    }
    Py_ssize_t known = self->last_room, room = self->last_room;
    if (grown((void **)&self->woken, &room, last + 1, sizeof(Wakes *)) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    room = self->last_room;
    if (grown((void **)&self->woken_room, &room, last + 1, sizeof(Py_ssize_t)) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    for (; known < room; known++) {
        self->woken[known] = NULL;
        self->woken_room[known] = 0;
    }
    self->last_room = room;
    known = self->woken_room[last];
    if (grown((void **)&self->woken[last], &self->woken_room[last], class + 1,
              sizeof(Wakes)) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    for (; known < self->woken_room[last]; known++) {
        self->woken[last][known].count = NONE;
        self->woken[last][known].wakes = NULL;
    }
    Wakes *wakes = &self->woken[last][class];
    wakes_free(wakes);
    Py_ssize_t count = PyTuple_Size(found);
    Wake *items = PyMem_Calloc((size_t)count + 1, sizeof(Wake));
    if (items == NULL) {
        Py_DECREF(found);
        PyErr_NoMemory();
        return NULL;
    }
    wakes->wakes = items;
    wakes->count = 0;
    for (Py_ssize_t index = 0; index < count; index++) {
        if (wake_of(self, PyTuple_GetItem(found, index), &items[index]) < 0) {
            wakes_free(wakes);
            Py_DECREF(found);
            return NULL;
        }
        wakes->count++;
    }
    Py_DECREF(found);
    return wakes;
}

static PyObject *
machine_flush(Machine *self, PyObject *Py_UNUSED(ignored))
{
    machine_forget(self);
    Py_RETURN_NONE;
}

static PyMethodDef machine_methods[] = {
    {"forget", (PyCFunction)machine_flush, METH_NOARGS, "Forget what wakes the patterns."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot machine_slots[] = {
    {Py_tp_doc, "What all streams of a set of patterns share."},
    {Py_tp_new, machine_new},
    {Py_tp_dealloc, machine_dealloc},
    {Py_tp_traverse, machine_traverse},
    {Py_tp_clear, machine_clear},
    {Py_tp_methods, machine_methods},
    {0, NULL},
};

static PyType_Spec machine_spec = {
    "guardstream.scan.regex._native.Machine",
    sizeof(Machine),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    machine_slots,
};

/* --- a stream: the patterns that are awake ------------------------------------------------ */

typedef struct {
    Table *table; /* a strong reference */
    int32_t pattern;
    int32_t node;
    int32_t registers; /* where its registers begin */
    int32_t count;     /* and how many there are */
} Run;

typedef struct {
    Run *runs;
    Py_ssize_t count, room;
    int64_t *registers;
    Py_ssize_t register_count, register_room;
    int64_t offset;
    int32_t last;
} Runs;

typedef struct {
    PyObject_HEAD
    Machine *machine;
    Runs now, next, mark;
    PyObject *hits; /* what the last character has completed */
    uint8_t *awake; /* a byte a pattern, while a character is read */
    uint8_t *off;   /* the patterns that are disabled, or NULL */
    int busy;       /* while it reads: what it calls, or another thread, must not read too */
} Stepper;

static int
is_busy(const Stepper *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "a stream is read by one reader at a time");
    }
    return self->busy;
}

static void
runs_empty(Runs *runs)
{
    for (Py_ssize_t index = 0; index < runs->count; index++) {
        Py_DECREF((PyObject *)runs->runs[index].table);
    }
    runs->count = 0;
    runs->register_count = 0;
}

static int
runs_copy(Runs *to, const Runs *from)
{
    runs_empty(to);
    if (grown((void **)&to->runs, &to->room, from->count, sizeof(Run)) < 0
        || grown((void **)&to->registers, &to->register_room, from->register_count,
                 sizeof(int64_t)) < 0) {
        return -1;
    }
    for (Py_ssize_t index = 0; index < from->count; index++) {
        to->runs[index] = from->runs[index];
        Py_INCREF((PyObject *)to->runs[index].table);
    }
    to->count = from->count;
    if (from->register_count) {
        memcpy(to->registers, from->registers, (size_t)from->register_count * sizeof(int64_t));
    }
    to->register_count = from->register_count;
    to->offset = from->offset;
    to->last = from->last;
    return 0;
}

/* Append a run that has come to `target` from registers `from`: as `moves` say, or as they are. */
static int
runs_append(Runs *runs, int32_t pattern, Table *table, int32_t target, const int32_t *moves,
            const int64_t *from, int64_t offset)
{
    int32_t needed = table->nodes[target].registers;
    if (grown((void **)&runs->runs, &runs->room, runs->count + 1, sizeof(Run)) < 0
        || grown((void **)&runs->registers, &runs->register_room, runs->register_count + needed,
                 sizeof(int64_t)) < 0) {
        return -1;
    }
    int64_t *to = runs->registers + runs->register_count;
    if (moves == NULL) {
        if (needed) {
            memcpy(to, from, (size_t)needed * sizeof(int64_t));
        }
    }
    else {
        const int32_t *next = moves + 1;
        for (int32_t index = 0; index < needed; index++) {
            int32_t sources = *next++;
            int64_t least = RESOLVED(*next, from, offset);
            for (next++; --sources; next++) {
                int64_t other = RESOLVED(*next, from, offset);
                least = other < least ? other : least;
            }
            to[index] = least;
        }
    }
    Run *run = &runs->runs[runs->count++];
    run->table = (Table *)Py_NewRef((PyObject *)table);
    run->pattern = pattern;
    run->node = target;
    run->registers = (int32_t)runs->register_count;
    run->count = needed;
    runs->register_count += needed;
    return 0;
}

static PyObject *
registers_of(const int64_t *registers, int32_t count)
{
    PyObject *found = PyTuple_New(count);
    for (int32_t index = 0; found && index < count; index++) {
        PyObject *number = PyLong_FromLongLong(registers[index]);
        if (number == NULL || PyTuple_SetItem(found, index, number) < 0) {
            Py_DECREF(found);
            return NULL;
        }
    }
    return found;
}

/* Note that a transition on the character at `offset` accepts. */
static int
stepper_hit(Stepper *self, int32_t pattern, PyObject *accepts, const int64_t *registers,
            int32_t count, int64_t offset)
{
    PyObject *known = registers_of(registers, count);
    if (known == NULL) {
        return -1;
    }
    PyObject *hit = Py_BuildValue("(iONL)", pattern, accepts, known, (long long)offset);
    if (hit == NULL) {
        return -1;
    }
    int failed = PyList_Append(self->hits, hit);
    Py_DECREF(hit);
    return failed;
}

/* Follow a transition that is not in the table: Python builds it. */
static int
stepper_build(Stepper *self, const Run *run, int32_t class)
{
    Machine *machine = self->machine;
    PyObject *state = PyList_GetItem(run->table->states, run->node);
    if (state == NULL) {
        return -1;
    }
    PyObject *built =
        PyObject_CallFunction(machine->build, "iOi", run->pattern, state, class);
    if (built == NULL) {
        return -1;
    }
    PyObject *table, *moves, *accepts;
    int target, failed = -1;
    int32_t *items = NULL;
    Py_ssize_t count = 0, room = 0;
    if (!PyArg_ParseTuple(built, "O!iOO!", (PyTypeObject *)machine->table_type, &table, &target,
                          &moves, &PyTuple_Type, &accepts)
        || !is_node((Table *)table, target)) {
        goto done;
    }
    Table *owner = (Table *)table;
    int32_t needed = owner->nodes[target].registers;
    const int64_t *registers = self->now.registers + run->registers;
    if (moves != Py_None) {
        if (moves_of(moves, run->count, needed, &items, &count, &room) < 0) {
            goto done;
        }
    }
    else if (needed > run->count) {
        PyErr_SetString(PyExc_ValueError, "a transition does not fill its state's registers");
        goto done;
    }
    if (PyTuple_Size(accepts)
        && stepper_hit(self, run->pattern, accepts, registers, run->count, self->now.offset) < 0) {
        goto done;
    }
    failed = owner->nodes[target].idle
        ? 0
        : runs_append(&self->next, run->pattern, owner, target, items, registers,
                      self->now.offset);
done:
    PyMem_Free(items);
    Py_DECREF(built);
    return failed;
}

static int
stepper_advance(Stepper *self, const Run *run, int32_t class)
{
    int32_t local = machine_local(self->machine, run->pattern, class);
    if (local == NONE) {
        return -1;
    }
    Table *table = run->table;
    const Node *node = &table->nodes[run->node];
    if (local >= node->classes || table->ints[node->edges + local] == NONE) {
        return stepper_build(self, run, class);
    }
    /* A copy: noting a match may run Python, which may add to the table. */
    const Edge edge = table->edges[table->ints[node->edges + local]];
    const int64_t *registers = self->now.registers + run->registers;
    if (edge.accepts != NONE) {
        PyObject *accepts = PyList_GetItem(table->accepts, edge.accepts);
        if (accepts == NULL
            || stepper_hit(self, run->pattern, accepts, registers, run->count,
                           self->now.offset) < 0) {
            return -1;
        }
    }
    if (table->nodes[edge.target].idle) {
        return 0;
    }
    const int32_t *moves = edge.moves == NONE ? NULL : table->ints + edge.moves;
    return runs_append(&self->next, run->pattern, table, edge.target, moves, registers,
                       self->now.offset);
}

static int
stepper_woken(Stepper *self, const Wakes *wakes)
{
    for (int32_t index = 0; index < wakes->count; index++) {
        const Wake *wake = &wakes->wakes[index];
        if (self->awake[wake->pattern] || (self->off && self->off[wake->pattern])) {
            continue;
        }
        if (wake->edge.accepts != NONE) {
            PyObject *accepts = PyList_GetItem(wake->table->accepts, wake->edge.accepts);
            if (accepts == NULL
                || stepper_hit(self, wake->pattern, accepts, NULL, 0, self->now.offset) < 0) {
                return -1;
            }
        }
        if (!wake->table->nodes[wake->edge.target].idle
            && runs_append(&self->next, wake->pattern, wake->table, wake->edge.target,
                           wake->moves, NULL, self->now.offset) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
stepper_wake(Stepper *self, int32_t class)
{
    Machine *machine = self->machine;
    const Wakes *wakes = machine_wakes(machine, self->now.last, class);
    if (wakes == NULL) {
        return -1;
    }
    /* Noting a match may run Python, which must not free what is being read. */
    machine->reading++;
    int failed = stepper_woken(self, wakes);
    machine->reading--;
    if (machine->stale && !machine->reading) {
        machine_forget(machine);
    }
    return failed;
}

/* Read a character: returns how many matches it has completed, or -1 with an error set. */
static Py_ssize_t
stepper_step(Stepper *self, Py_UCS4 code)
{
    int32_t class = machine_class(self->machine, code);
    if (class == NONE) {
        return -1;
    }
    runs_empty(&self->next);
    memset(self->awake, 0, (size_t)self->machine->patterns);
    for (Py_ssize_t index = 0; index < self->now.count; index++) {
        /* A copy: what Python does meanwhile must not move it. */
        Run run = self->now.runs[index];
        self->awake[run.pattern] = 1;
        if (stepper_advance(self, &run, class) < 0) {
            return -1;
        }
    }
    if (stepper_wake(self, class) < 0) {
        return -1;
    }
    Runs before = self->now;
    self->now = self->next;
    self->next = before;
    self->now.offset = before.offset + 1;
    self->now.last = class;
    return PyList_Size(self->hits);
}

static int
stepper_clear_hits(Stepper *self)
{
    return PyList_SetSlice(self->hits, 0, PyList_Size(self->hits), NULL);
}

static int64_t
live_oldest(const Table *table, const Live *live, const int64_t *registers, int64_t offset)
{
    int64_t oldest = offset - live->distance;
    for (int32_t index = 0; index < live->count; index++) {
        int64_t began = registers[table->ints[live->first + index]];
        oldest = began < oldest ? began : oldest;
    }
    return oldest;
}

static int64_t
stepper_oldest(const Stepper *self)
{
    int64_t oldest = self->now.offset;
    for (Py_ssize_t index = 0; index < self->now.count; index++) {
        const Run *run = &self->now.runs[index];
        if (self->machine->holding[run->pattern]) {
            int64_t began = live_oldest(run->table, &run->table->nodes[run->node].holds,
                                        self->now.registers + run->registers, self->now.offset);
            oldest = began < oldest ? began : oldest;
        }
    }
    return oldest;
}

static PyObject *
stepper_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
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
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Stepper *self = (Stepper *)alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->machine = (Machine *)Py_NewRef(given);
    self->hits = PyList_New(0);
    self->awake = PyMem_Calloc((size_t)self->machine->patterns + 1, 1);
    if (self->hits == NULL || self->awake == NULL) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int
stepper_traverse(Stepper *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->machine);
    Py_VISIT(self->hits);
    const Runs *all[] = {&self->now, &self->next, &self->mark};
    for (int which = 0; which < 3; which++) {
        for (Py_ssize_t index = 0; index < all[which]->count; index++) {
            Py_VISIT(all[which]->runs[index].table);
        }
    }
    return 0;
}

static int
stepper_clear(Stepper *self)
{
    runs_empty(&self->now);
    runs_empty(&self->next);
    runs_empty(&self->mark);
    Py_CLEAR(self->machine);
    Py_CLEAR(self->hits);
    return 0;
}

static void
stepper_dealloc(Stepper *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    stepper_clear(self);
    Runs *all[] = {&self->now, &self->next, &self->mark};
    for (int which = 0; which < 3; which++) {
        PyMem_Free(all[which]->runs);
        PyMem_Free(all[which]->registers);
    }
    PyMem_Free(self->awake);
    PyMem_Free(self->off);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(self);
    Py_DECREF(type);
}

/* read(text) -> how many characters are held, or -1 with nothing read where a match completes */
static PyObject *
stepper_read(Stepper *self, PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "a text must be a str");
        return NULL;
    }
    if (is_busy(self) || stepper_clear_hits(self) < 0
        || runs_copy(&self->mark, &self->now) < 0) {
        return NULL;
    }
    Py_ssize_t length = PyUnicode_GetLength(text), hits = 0;
    self->busy = 1;
    for (Py_ssize_t index = 0; index < length && !hits; index++) {
        hits = stepper_step(self, PyUnicode_ReadChar(text, index));
    }
    self->busy = 0;
    if (hits) {
        /* Nothing has been read. */
        if (hits < 0 || stepper_clear_hits(self) < 0 || runs_copy(&self->now, &self->mark) < 0) {
            return NULL;
        }
        return PyLong_FromLong(-1);
    }
    return PyLong_FromLongLong(self->now.offset - stepper_oldest(self));
}

/* run(text, begin, end) -> the index after the last character read */
static PyObject *
stepper_run(Stepper *self, PyObject *args)
{
    PyObject *text;
    Py_ssize_t begin, end;
    if (!PyArg_ParseTuple(args, "Unn", &text, &begin, &end)) {
        return NULL;
    }
    if (begin < 0 || begin > end || end > PyUnicode_GetLength(text)) {
        PyErr_SetString(PyExc_IndexError, "a part of the text is not in it");
        return NULL;
    }
    if (is_busy(self) || stepper_clear_hits(self) < 0
        || runs_copy(&self->mark, &self->now) < 0) {
        return NULL;
    }
    Py_ssize_t hits = 0;
    self->busy = 1;
    while (begin < end && !hits) {
        hits = stepper_step(self, PyUnicode_ReadChar(text, begin++));
    }
    self->busy = 0;
    return hits < 0 ? NULL : PyLong_FromSsize_t(begin);
}

static PyObject *
stepper_unread(Stepper *self, PyObject *Py_UNUSED(ignored))
{
    if (is_busy(self) || stepper_clear_hits(self) < 0
        || runs_copy(&self->now, &self->mark) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stepper_held(Stepper *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(stepper_oldest(self));
}

static const Run *
stepper_find(const Stepper *self, PyObject *pattern)
{
    long long number;
    if (int_of(pattern, 0, self->machine->patterns - 1, &number) < 0) {
        return NULL;
    }
    for (Py_ssize_t index = 0; index < self->now.count; index++) {
        if (self->now.runs[index].pattern == number) {
            return &self->now.runs[index];
        }
    }
    return NULL;
}

static PyObject *
stepper_began(Stepper *self, PyObject *pattern)
{
    const Run *run = stepper_find(self, pattern);
    if (run == NULL) {
        return PyErr_Occurred() ? NULL : PyLong_FromLongLong(self->now.offset + 1);
    }
    return PyLong_FromLongLong(live_oldest(run->table, &run->table->nodes[run->node].starts,
                                           self->now.registers + run->registers,
                                           self->now.offset));
}

static PyObject *
stepper_waits(Stepper *self, PyObject *pattern)
{
    const Run *run = stepper_find(self, pattern);
    if (run == NULL) {
        return PyErr_Occurred() ? NULL : PyLong_FromLongLong(self->now.offset + 1);
    }
    return PyLong_FromLongLong(live_oldest(run->table, &run->table->nodes[run->node].holds,
                                           self->now.registers + run->registers,
                                           self->now.offset));
}

static PyObject *
stepper_patterns(Stepper *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = PyList_New(self->now.count);
    for (Py_ssize_t index = 0; found && index < self->now.count; index++) {
        PyObject *number = PyLong_FromLong(self->now.runs[index].pattern);
        if (number == NULL || PyList_SetItem(found, index, number) < 0) {
            Py_DECREF(found);
            return NULL;
        }
    }
    return found;
}

/* state(pattern) -> (state, registers), or None */
static PyObject *
stepper_state(Stepper *self, PyObject *pattern)
{
    const Run *run = stepper_find(self, pattern);
    if (run == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *state = PyList_GetItem(run->table->states, run->node);
    PyObject *registers = registers_of(self->now.registers + run->registers, run->count);
    return state && registers ? Py_BuildValue("(ON)", state, registers) : NULL;
}

/* Take the pattern's run out. */
static int
stepper_remove(Stepper *self, int32_t pattern)
{
    Py_ssize_t kept = 0;
    Table *gone = NULL;
    for (Py_ssize_t index = 0; index < self->now.count; index++) {
        if (self->now.runs[index].pattern == pattern) {
            gone = self->now.runs[index].table;
        }
        else {
            self->now.runs[kept++] = self->now.runs[index];
        }
    }
    self->now.count = kept;
    Py_XDECREF((PyObject *)gone);
    return 0;
}

/* place(pattern, table, node, registers): let the pattern go on from there */
static PyObject *
stepper_place(Stepper *self, PyObject *args)
{
    PyObject *table, *registers;
    int pattern, node;
    if (!PyArg_ParseTuple(args, "iO!iO!", &pattern, (PyTypeObject *)self->machine->table_type,
                          &table, &node, &PyTuple_Type, &registers)) {
        return NULL;
    }
    Table *owner = (Table *)table;
    if (is_busy(self) || !is_node(owner, node) || pattern < 0 || pattern >= self->machine->patterns) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "no such pattern");
        }
        return NULL;
    }
    int32_t needed = owner->nodes[node].registers;
    if (PyTuple_Size(registers) < needed) {
        PyErr_SetString(PyExc_ValueError, "a state's registers are missing");
        return NULL;
    }
    int64_t *values = PyMem_Calloc((size_t)needed + 1, sizeof(int64_t));
    if (values == NULL) {
        return PyErr_NoMemory();
    }
    for (int32_t index = 0; index < needed; index++) {
        long long value;
        if (int_of(PyTuple_GetItem(registers, index), INT32_MIN, INT64_MAX, &value) < 0) {
            PyMem_Free(values);
            return NULL;
        }
        values[index] = value;
    }
    stepper_remove(self, pattern);
    int failed = owner->nodes[node].idle
        ? 0
        : runs_append(&self->now, pattern, owner, node, NULL, values, self->now.offset);
    PyMem_Free(values);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stepper_disable(Stepper *self, PyObject *pattern)
{
    long long number;
    if (is_busy(self) || int_of(pattern, 0, self->machine->patterns - 1, &number) < 0) {
        return NULL;
    }
    if (self->off == NULL) {
        self->off = PyMem_Calloc((size_t)self->machine->patterns, 1);
        if (self->off == NULL) {
            return PyErr_NoMemory();
        }
    }
    self->off[number] = 1;
    stepper_remove(self, (int32_t)number);
    Py_RETURN_NONE;
}

/* hits() -> what the last character has completed: (pattern, accepts, registers, offset) each */
static PyObject *
stepper_hits(Stepper *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *fresh = PyList_New(0);
    if (fresh == NULL) {
        return NULL;
    }
    PyObject *hits = self->hits;
    self->hits = fresh;
    return hits;
}

static PyObject *
stepper_offset(Stepper *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(self->now.offset);
}

static PyGetSetDef stepper_members[] = {
    {"offset", (getter)stepper_offset, NULL, "How many characters have been read.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef stepper_methods[] = {
    {"read", (PyCFunction)stepper_read, METH_O, "Read a text in which nothing completes."},
    {"run", (PyCFunction)stepper_run, METH_VARARGS, "Read on to where a match completes."},
    {"unread", (PyCFunction)stepper_unread, METH_NOARGS, "Go back to where that began."},
    {"held", (PyCFunction)stepper_held, METH_NOARGS, "Where the oldest hold-back began."},
    {"began", (PyCFunction)stepper_began, METH_O, "Where a pattern's oldest candidate began."},
    {"waits", (PyCFunction)stepper_waits, METH_O, "Where a pattern's oldest hold-back began."},
    {"patterns", (PyCFunction)stepper_patterns, METH_NOARGS, "The patterns that are awake."},
    {"state", (PyCFunction)stepper_state, METH_O, "A pattern's state and registers."},
    {"place", (PyCFunction)stepper_place, METH_VARARGS, "Let a pattern go on elsewhere."},
    {"disable", (PyCFunction)stepper_disable, METH_O, "Never wake the pattern again."},
    {"hits", (PyCFunction)stepper_hits, METH_NOARGS, "What the last character completed."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stepper_slots[] = {
    {Py_tp_doc, "One stream's patterns that are awake."},
    {Py_tp_new, stepper_new},
    {Py_tp_dealloc, stepper_dealloc},
    {Py_tp_traverse, stepper_traverse},
    {Py_tp_clear, stepper_clear},
    {Py_tp_methods, stepper_methods},
    {Py_tp_getset, stepper_members},
    {0, NULL},
};

static PyType_Spec stepper_spec = {
    "guardstream.scan.regex._native.Runs",
    sizeof(Stepper),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    stepper_slots,
};

/* --- the module --------------------------------------------------------------------------- */

static int
native_exec(PyObject *module)
{
    PyType_Spec *specs[] = {&table_spec, &machine_spec, &stepper_spec};
    const char *names[] = {"Table", "Machine", "Runs"};
    for (int index = 0; index < 3; index++) {
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
    .m_doc = "Steps the automata of many patterns over one stream.",
    .m_slots = native_slots,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
