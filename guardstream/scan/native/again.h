/* How a stream reads text once more for one pattern. */

#ifndef GUARDSTREAM_AGAIN_H
#define GUARDSTREAM_AGAIN_H

#include "step.h"

/* File all hits, those of eager patterns, too. */
static int
hits_all_filed(Stream *self)
{
    for (int32_t index = 0; index < self->hits.count; index++) {
        if (stream_file(self, &self->hits.at[index]) < 0) {
            return ERROR;
        }
    }
    self->hits.count = 0;
    return 0;
}

/* Lead the runs in `other` that are lookbehinds' on with a class, and append them to `next`; returns
   the class with the bits of those that match. They have no candidates, and so no registers: all in
   `other` are those of the last run. */
static int32_t
again_told(Stream *self, int32_t class)
{
    Machine *machine = self->machine;
    machine->told.count = 0;
    for (int32_t index = 0; index < self->other.count - 1; index++) {
        const Run run = self->other.runs[index];
        const Cache *cache = &machine->automata[run.pattern].cache;
        int32_t edge = machine_edge(machine, run.pattern, run.state, class);
        if (edge < 0) {
            return edge;
        }
        if (machine_tells(machine, run.pattern, cache->edge[edge].target) < 0
            || runs_follow(&machine->next, run.pattern, cache, &cache->edge[edge], NULL, 0) < 0) {
            return ERROR;
        }
    }
    return machine_told(machine, class);
}

/* Lead the runs in `other` on with a class: the last run is a pattern's, those before it are its
   lookbehinds'. */
static int
again_step(Stream *self, int32_t class, int mode, int64_t offset)
{
    Machine *machine = self->machine;
    machine->next.count = machine->next.register_count = 0;
    const Run run = self->other.runs[self->other.count - 1];
    Automaton *automaton = &machine->automata[run.pattern];
    if ((class = again_told(self, class)) < 0) {
        return class;
    }
    int32_t local = machine_local(machine, run.pattern, class);
    int32_t number = local;
    if (local >= 0 && mode == (BEGINS | OPENS)) {
        number = machine_edge(machine, run.pattern, run.state, class);
    }
    else if (local >= 0) {
        machine->wanted = run.pattern;
        number = edge_on(automaton, run.state, local, mode);
        machine_count(machine, automaton);
    }
    if (number < 0) {
        return number;
    }
    const Edge edge = automaton->cache.edge[number];
    const int64_t *registers = self->other.registers;
    if (edge.accepts != NONE && mode & BEGINS
        && accepts_taken(&automaton->cache, edge.accepts, run.pattern, registers, offset,
                         &self->hits) < 0) {
        return ERROR;
    }
    if (runs_follow(&machine->next, run.pattern, &automaton->cache, &edge, registers,
                    offset) < 0) {
        return ERROR;
    }
    Runs before = self->other;
    self->other = machine->next;
    machine->next = before;
    machine->next.count = 0;
    return 0;
}

/* The same, but it fetches what is WANTED, and files accepts: 0, ERROR or TOO_MANY. */
static int
again(Stream *self, Py_UCS4 code, int mode, int64_t offset)
{
    for (;;) {
        if (self->machine->full && machine_bound(self->machine) < 0) {
            return ERROR;
        }
        int32_t class = machine_class(self->machine, code);
        if (class < 0) {
            return ERROR;
        }
        self->hits.count = 0; /* Python has taken those of eager patterns before */
        int result = again_step(self, class, mode, offset);
        if (result == 0) {
            break;
        }
        if (result != WANTED || machine_fetch(self->machine) < 0) {
            return result == TOO_MANY ? TOO_MANY : ERROR;
        }
    }
    return hits_all_filed(self);
}

/* The class of the character before `text[at]`. */
static int32_t
class_before(Machine *machine, PyObject *text, Py_ssize_t at)
{
    return at > 0 ? machine_class(machine, PyUnicode_ReadChar(text, at - 1)) : BEGIN;
}

/* Append to `other` the run of a pattern or lookbehind that has no candidates before `text[at]`. */
static int
other_idle(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t at)
{
    Machine *machine = self->machine;
    int32_t state;
    for (;;) {
        int32_t class = class_before(machine, text, at);
        state = class < 0 ? ERROR : machine_idle(machine, pattern, class);
        if (state >= 0) {
            break;
        }
        if (state != WANTED || machine_fetch(machine) < 0) {
            return ERROR;
        }
    }
    Edge edge = {state, NONE, NONE, NONE};
    return runs_follow(&self->other, pattern, &machine->automata[pattern].cache, &edge, NULL, 0);
}

/* Put into `other` the runs of a pattern's lookbehinds, and its own, before `text[at]`. */
static int
other_begun(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t at)
{
    Machine *machine = self->machine;
    const Automaton *automaton = &machine->automata[pattern];
    self->other.count = self->other.register_count = 0;
    if (!automaton->loaded && machine_load(machine, pattern) < 0) {
        return ERROR;
    }
    for (int32_t index = 0; index < machine->tells.count; index++) {
        for (int32_t own = 0; own < automaton->bits.count; own++) {
            if (automaton->bits.at[own] == machine->tells.at[index]
                && other_idle(self, machine->lookbehinds + index, text, at) < 0) {
                return ERROR;
            }
        }
    }
    return other_idle(self, pattern, text, at);
}

/* Restart a pattern at `text[at]`; before that, only its lookbehinds read, from `begin` on: 0, ERROR
   or TOO_MANY. */
static int
restarted(Stream *self, int32_t pattern, PyObject *text, Py_ssize_t begin, Py_ssize_t at,
          int64_t base, int64_t until)
{
    if (other_begun(self, pattern, text, begin) < 0) {
        return ERROR;
    }
    Py_ssize_t length = PyUnicode_GetLength(text);
    for (Py_ssize_t index = begin; index < length; index++) {
        int mode = (index >= at ? BEGINS : 0) | (base + index > until ? OPENS : 0);
        int result = again(self, PyUnicode_ReadChar(text, index), mode, base + index);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* Put the run of a pattern in `other` among those that are awake. */
static int
run_put(Stream *self, int32_t pattern)
{
    const Run run = self->other.runs[self->other.count - 1];
    const Cache *cache = &self->machine->automata[pattern].cache;
    Edge edge = {run.state, NONE, NONE, NONE};
    self->other.count = 0;
    if (stand_leave(self->machine, &self->now) < 0) {
        return ERROR;
    }
    runs_remove(&self->now.runs, pattern);
    return cache->state[run.state].idle
        ? 0
        : runs_follow(&self->now.runs, pattern, cache, &edge, self->other.registers, 0);
}

/* Append a run to `into`, without the threads whose group opened at `hold` or before. */
static int
run_without(Stream *self, const Run *run, const int64_t *registers, int64_t offset, int64_t hold,
            Runs *into)
{
    Automaton *automaton = &self->machine->automata[run->pattern];
    const Cache *cache = &automaton->cache;
    const State *state = &cache->state[run->state];
    Ints key = {0};
    int32_t result = ints_append(&key, numbers_key(&cache->states, run->state),
                                 context_ints(automaton));
    for (int32_t index = 0; result >= 0 && index < state->count; index++) {
        const Thread *thread = &threads_of(cache, state)[index];
        const Place *place = &automaton->place[cache->item[thread->item].place];
        int64_t opened = thread->hold == NOWHERE ? offset + 1
            : thread->hold >= 0                  ? registers[thread->hold]
                                                 : offset - place->opened;
        if (opened > hold) {
            result = ints_append(&key, (const int32_t *)thread, THREAD_INTS);
        }
    }
    result = result < 0 ? ERROR : state_of(automaton, &key);
    ints_free(&key);
    Edge edge = {result, NONE, NONE, NONE};
    return result < 0 ? ERROR
                      : runs_follow(into, run->pattern, &automaton->cache, &edge, registers, 0);
}

#endif
