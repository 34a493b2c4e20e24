/* Reads what Python gives: everything is checked before it enters a table. */

#ifndef GUARDSTREAM_GIVEN_H
#define GUARDSTREAM_GIVEN_H

#include "memory.h"

static int
int_of(PyObject *number, long long low, long long high, long long *result)
{
    long long value = PyLong_AsLongLong(number);
    if (value == -1 && PyErr_Occurred()) {
        return ERROR;
    }
    if (value < low || value > high) {
        return failed("a number of the search is out of range");
    }
    *result = value;
    return 0;
}

/* The ints of a bytes object. */
static int
ints_of(PyObject *given, const char **ints, Py_ssize_t *count)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(given, &bytes, &size) < 0) {
        return ERROR;
    }
    if (size % (Py_ssize_t)sizeof(int32_t) || size / (Py_ssize_t)sizeof(int32_t) > MAX_INTS) {
        return failed("a table of the search is cut off");
    }
    *ints = bytes;
    *count = size / (Py_ssize_t)sizeof(int32_t);
    return 0;
}

static int
ints_taken(PyObject *given, Ints *into)
{
    const char *bytes;
    Py_ssize_t count;
    if (ints_of(given, &bytes, &count) < 0
        || grown((void **)&into->at, &into->room, (int64_t)into->count + count + 1,
                 sizeof(int32_t)) < 0) {
        return ERROR;
    }
    memcpy(into->at + into->count, bytes, (size_t)count * sizeof(int32_t));
    into->count += (int32_t)count;
    return 0;
}

static int
is_within(int32_t number, int32_t low, int32_t high)
{
    if (number >= low && number < high) {
        return 1;
    }
    failed("a number of the search is out of range");
    return 0;
}

#define MAX_OFFSET (INT64_C(1) << 60) /* offsets can be added, and counted from each other */

static int
is_offset(long long offset)
{
    if (-MAX_OFFSET < offset && offset < MAX_OFFSET) {
        return 1;
    }
    failed("no text is as long");
    return 0;
}

/* Whether `text[begin:end]` lies in a text of some length; an error is set otherwise. */
static int
is_part(Py_ssize_t begin, Py_ssize_t end, Py_ssize_t length)
{
    if (0 <= begin && begin <= end && end <= length) {
        return 1;
    }
    PyErr_SetString(PyExc_IndexError, "a part of the text is not in it");
    return 0;
}

#endif
