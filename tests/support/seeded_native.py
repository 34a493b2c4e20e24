"""Bugs that are put into the extension."""

from __future__ import annotations

from tests.support.extension import Change

ENOUGH = 3_000


BUGS = {
    "a start is dropped while another candidate lives": Change(
        "dfa.h",
        "if (complete == 0 && mode & BEGINS) {",
        "if (complete == 0 && mode & BEGINS && !bench->threads) {",
    ),
    "a match does not cut what is less preferred": Change(
        "dfa.h", "return item.accepts && self->cuts;", "return 0;"
    ),
    "what must not stand beside a match may": Change(
        "automaton.h", " || (bits[word] & bars[word])", ""
    ),
    "a negative lookahead that matches is passed over": Change(
        "closure.h", "result = negate ? UNMET : 0;", "result = 0;"
    ),
    "a lookbehind of more than one character never matches": Change(
        "dfa.h",
        "matches = cache->item[items[member]].accepts;",
        "matches = 0;",
    ),
    "characters are alike to a state in which a match may begin": Change(
        "dfa.h",
        "int32_t asks = root < 0 ? root : cache->item[root].asks;",
        "int32_t asks = root < 0 ? root : self->behind;",
    ),
    "characters are alike to a lookahead that begins": Change(
        "closure.h",
        "asks = asks < 0 ? asks : with_obligations_asks(self, asks, entry->obligations);",
        "",
    ),
    "a lookbehind of several patterns tells nothing when it wakes": Change(
        "step.h", "if (machine->awake[wake[-1].pattern] != machine->clock", "if (0"
    ),
    "a lookbehind of several patterns tells nothing on the way": Change(
        "step.h",
        "if (machine_tells(machine, run->pattern, cache->edge[edge].target) < 0) {",
        "if (0) {",
    ),
    "a search that goes on anew knows nothing of what several patterns look back at": Change(
        "again.h",
        "if (machine_tells(machine, run.pattern, cache->edge[edge].target) < 0",
        "if (0",
    ),
    "a joint state forgets what lookbehinds told": Change(
        "step.h",
        "    self->now.last = joints->joint[leap->target].last;\n",
        "    self->now.last = class;\n",
    ),
    "a stream does not know what it has read last once classes are forgotten": Change(
        "stand.h",
        "stands[which]->last = last < 0 ? BEGIN : last;",
        "stands[which]->last = BEGIN;",
    ),
    "a flush takes what stands before for the beginning": Change(
        "dfa.h",
        "int32_t left = signature_renewed(self, old, key[0]);",
        "int32_t left = NOTHING;",
    ),
    "characters are alike to a lookbehind under way": Change(
        "dfa.h",
        "asks = with_items_asks(self, asks, numbers_key(&cache->item_sets, side),",
        "asks = with_items_asks(self, asks, &root,",
    ),
    "a flush forgets what the lookbehinds have read": Change(
        "dfa.h", "value = set_renewed(self, old, value);", "value = NOTHING;"
    ),
    "what begins after a late match is lost": Change(
        "dfa.h",
        "return noted(self, accepts, start, hold, end, thread->end != NOWHERE);",
        "return noted(self, accepts, start, hold, end, 0);",
    ),
    "registers stay where they were when one of them is gone": Change(
        "dfa.h", " && leasts[index].sources[0] == index;", ";"
    ),
    "the end of the text accepts the wrong threads": Change(
        "dfa.h", "[thread.item].ends == ENDS)", "[thread.item].ends == ENDS_NOT)"
    ),
    "a pattern that is awake is woken again": Change(
        "step.h", "if (machine->awake[wake->pattern] == machine->clock", "if (0"
    ),
    "a match settles although an older candidate lives": Change(
        "stream.h",
        "int64_t oldest = pattern_oldest(self, pile->pattern, 0);",
        "int64_t oldest = INT64_MAX;",
    ),
    "text is not held once there was something to look at": Change(
        "stream.h",
        "return PyLong_FromLongLong(oldest_hold(self));",
        "return PyLong_FromLongLong(self->now.offset);",
    ),
    "text before a candidate is forgotten": Change(
        "stream.h",
        "int64_t began = run_oldest(self, run, 0);",
        "int64_t began = run_oldest(self, run, 1);",
    ),
    "a match that waits holds no text": Change(
        "step.h", "if (!open->written && open->hold < oldest) {", "if (0) {"
    ),
    "a joint state forgets a hold-back": Change(
        "step.h",
        "joint->holds = holds->count - first;",
        "joint->holds = holds->count - first > 1;",
    ),
    "a joint state forgets a hold-back of fixed length": Change(
        "step.h", "joint->distance = distance;", "joint->distance = 0;"
    ),
    "a word ends where it goes on": Change(
        "wordlist.h", "if (low == after) {", "if (low <= after) {"
    ),
    "a word of two letters is none": Change(
        "wordlist.h", "head->complete ? COMPLETE : 1", "head->letters ? 1 : COMPLETE"
    ),
    "words end with those of the same first letters": Change(
        "wordlist.h", "? head[1].first :", "? head->first + 1 :"
    ),
    "a word that is complete goes on alone": Change(
        "words.h", "if (lives < 0 || lives == COMPLETE) {", "if (lives < 0) {"
    ),
    "a character that ends a word continues the next": Change(
        "words.h", "uint64_t begins = !self->node[node].joined,", "uint64_t begins = 1,"
    ),
    "a longer match does not take the place of a shorter one": Change(
        "step.h", ".start >= new->start) {", ".start > new->start) {"
    ),
    "text is not held where a match settles on the way": Change(
        "reader.h",
        'Py_BuildValue("(nLN)", index, all_held(self), found);',
        'Py_BuildValue("(nLN)", index, 0LL, found);',
    ),
    "text is released that is held": Change(
        "reader.h",
        "Py_ssize_t size = held < length ? length - (Py_ssize_t)held : 0;",
        "Py_ssize_t size = held <= length ? length : 0;",
    ),
    "a text that needs care is read": Change(
        "reader.h", "if (self->busy || given->length == 0", "if (given->length == 0"
    ),
    "an offset is taken from the next character": Change(
        "stand.h",
        "to[index] = least_of(move + 1, move[0], from, offset);",
        "to[index] = least_of(move + 1, move[0], from, offset + 1);",
    ),
    "registers stay as they are in joint states": Change(
        "joints.h", "registers_stay(&self->moves) ? 0 : self->moves.count;", "0;"
    ),
    "joint states accept nothing": Change(
        "joints.h", "{moves > 0, self->accepts.count / JOINT_ACCEPT_INTS};", "{moves > 0, 0};"
    ),
    "joint states that move no register accept nothing": Change(
        "joints.h", "if (!head[0] && !head[1]) {", "if (!head[0]) {"
    ),
    "joint states take a pattern's registers for the first ones": Change(
        "joints.h", "source < 0 ? source : at + source", "source"
    ),
    "what is open is not looked at where a joint state is known": Change(
        "step.h", "self->hits.count | self->now.open.count", "self->hits.count"
    ),
    "patterns that are awake share their registers": Change(
        "step.h", "        filled += edge->registers;\n", ""
    ),
    "all patterns that are awake tell a class apart as the first one does": Change(
        "step.h", "int32_t local = locals[run->pattern];", "int32_t local = locals[0];"
    ),
    "a short text is read from its beginning again": Change(
        "reader.h", ": given->codes[index];", ": given->codes[0];"
    ),
    "joint states lead on from any other": Change(
        "joints.h",
        "(self->leap[at].joint != joint || self->leap[at].class != class)",
        "self->leap[at].class != class",
    ),
    "joint states lead on by any class as they first did": Change(
        "joints.h", "if (leap->class == class) {", "if (leap->class != NONE) {"
    ),
    "what is awake wakes once more": Change(
        "step.h", "machine->awake[wake->pattern] == machine->clock", "0"
    ),
    "all patterns tell a class apart as the first one does": Change(
        "machine.h", "    return locals[pattern];", "    return locals[0];"
    ),
    "all characters of a page are of a class": Change(
        "machine.h", "MISSING : (uint16_t)beside;", "MISSING : (uint16_t)class;"
    ),
    "keys of the same hash are taken for others": Change(
        "memory.h",
        "&& !memcmp(numbers_key(numbers, slot->number), key,",
        "&& memcmp(numbers_key(numbers, slot->number), key,",
    ),
    "joint states do not know what stands before": Change(
        "joints.h", "key->at[0] = kind;", "key->at[0] = 0;"
    ),
    "a stream keeps its joint state when a search goes on elsewhere": Change(
        "again.h",
        "    self->other.count = 0;\n    if (stand_leave(self->machine, &self->now) < 0) {\n",
        "    self->other.count = 0;\n    if (0) {\n",
    ),
    "the group of a match found again is where it first opened": Change(
        "matcher.h", "    return made < 0 ? made : first;", "    return captures;"
    ),
    "the last way of a match is tried in place of the first": Change(
        "matcher.h", "next->step = ways[0];", "next->step = ways[step->count - 1];"
    ),
    "a back-reference reads any text": Change(
        "matcher.h", "(one[count] == other[count]", "(1 || one[count] == other[count]"
    ),
    "words lead on from any state": Change(
        "words.h", "(edge->node == node && edge->class == class)", "edge->class == class"
    ),
    "words that are certain are told again": Change(
        "words.h", "    self->taken = 1;\n    return result;", "    return result;"
    ),
    "words that are certain end where they are": Change(
        "words.h", "(long long)(self->offset - ended)", "(long long)self->offset"
    ),
    "the text of words is not held": Change(
        "words.h",
        "self->table->holds ? self->table->node[self->node].held : 0",
        "0",
    ),
}
