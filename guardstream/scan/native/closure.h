/* Items: what a thread has reached, and what it can read next. `closure.py` explains them. The names
   in Python and here:

       Items._followed                     Walk, followed, closure_of
       Item, Items.at                      Item, item_filled, item_at
       Items._step, _way, Items.advance    stepped, entry_target, way_added, steps_of
       Items._advanced, Items._looked      obligations_advanced, looked

   Nothing here calls Python, so nothing moves while it is built. If a place is not known yet, a
   function returns WANTED and names it; what has been built so far stays, and the caller asks
   again. */

#ifndef GUARDSTREAM_CLOSURE_H
#define GUARDSTREAM_CLOSURE_H

#include "automaton.h"

/* Declared here since items have lookaheads, whose places lead to items. */
static int32_t item_at(Automaton *self, int32_t place, int32_t left, int32_t obligations);
static int32_t steps_of(Automaton *self, int32_t item, int32_t signature);

/* A set of obligations with one more. */
static int32_t
obligations_with(Automaton *self, int32_t obligations, int32_t negate, int32_t item)
{
    int32_t key[2] = {negate, item};
    int32_t obligation = numbers_of(&self->cache.obligations, key, 2), found = ERROR;
    Ints all = {0};
    if (obligation >= 0
        && ints_append(&all, numbers_key(&self->cache.obligation_sets, obligations),
                       numbers_length(&self->cache.obligation_sets, obligations)) >= 0
        && ints_push(&all, obligation) >= 0) {
        found = set_of(&self->cache.obligation_sets, &all);
    }
    ints_free(&all);
    return found;
}

static int32_t
obligations_joined(Automaton *self, int32_t left, int32_t right)
{
    if (left == right || right == NOTHING) {
        return left;
    }
    if (left == NOTHING) {
        return right;
    }
    Numbers *sets = &self->cache.obligation_sets;
    Ints all = {0};
    int32_t found = ERROR;
    if (ints_append(&all, numbers_key(sets, left), numbers_length(sets, left)) >= 0
        && ints_append(&all, numbers_key(sets, right), numbers_length(sets, right)) >= 0) {
        found = set_of(sets, &all);
    }
    ints_free(&all);
    return found;
}

/* What a lookahead's items lead to, appended to `reached`; 1 if one of them has matched. */
static int
looked(Automaton *self, const Ints *items, int32_t signature, Ints *reached)
{
    for (int32_t index = 1; index < items->count; index++) {
        int32_t number = steps_of(self, items->at[index], signature);
        if (number < 0) {
            return number;
        }
        const Steps steps = self->cache.step[number];
        if (steps.matched) {
            return 1;
        }
        for (int32_t way = steps.first; way < steps.first + steps.count; way++) {
            int32_t item = self->cache.way[way].item;
            if (self->cache.item[item].accepts) {
                return 1;
            }
            if (ints_push(reached, item) < 0) {
                return ERROR;
            }
        }
    }
    return 0;
}

/* The rest of one obligation after a character, appended to `left`; UNMET if it has failed. */
static int
obligation_advanced(Automaton *self, int32_t obligation, int32_t signature, Ints *left)
{
    Ints items = {0}, reached = {0};
    int32_t negate = *numbers_key(&self->cache.obligations, obligation), result = ERROR;
    if (ints_append(&items, numbers_key(&self->cache.obligations, obligation),
                    numbers_length(&self->cache.obligations, obligation)) < 0
        || ints_push(&reached, negate) < 0) {
        goto done;
    }
    result = looked(self, &items, signature, &reached);
    if (result == 1) {
        result = negate ? UNMET : 0;
    }
    else if (result == 0 && reached.count > 1) {
        int32_t count = 1 + ints_unique(reached.at + 1, reached.count - 1);
        int32_t after = numbers_of(&self->cache.obligations, reached.at, count);
        result = after < 0 ? ERROR : ints_push(left, after);
    }
    else if (result == 0 && !negate) {
        result = UNMET;
    }
done:
    ints_free(&items);
    ints_free(&reached);
    return result;
}

/* The obligations still open after a character: a set, or UNMET. */
static int32_t
obligations_advanced(Automaton *self, int32_t obligations, int32_t signature)
{
    if (obligations == NOTHING) {
        return NOTHING;
    }
    Ints all = {0}, left = {0};
    int32_t result = ints_append(&all, numbers_key(&self->cache.obligation_sets, obligations),
                                 numbers_length(&self->cache.obligation_sets, obligations));
    for (int32_t index = 0; result >= 0 && index < all.count; index++) {
        result = obligation_advanced(self, all.at[index], signature, &left);
    }
    if (result >= 0) {
        result = set_of(&self->cache.obligation_sets, &left);
    }
    ints_free(&all);
    ints_free(&left);
    return result;
}

/* A point that the walk for an epsilon closure has reached. */
typedef struct {
    int32_t place, condition, obligations;
    int32_t round; /* the newest round on the way that has read nothing yet, or NONE */
    int32_t opens; /* whether the masked group has opened on the way */
} Point;

#define ENTRY_INTS INTS_BEFORE(Point, round) /* what an entry has of it */
#define SEEN_INTS INTS_BEFORE(Point, opens)  /* what need not be looked at twice */
#define POINT_INTS INTS_IN(Point)

/* The walk over all places that read no character. */
typedef struct {
    Ints pending;   /* points, the preferred last */
    Numbers seen;   /* points that have been looked at */
    Numbers found;  /* what may follow, in order of preference */
    Ints opens;     /* of each whether the masked group opens first */
    Numbers rounds; /* pairs of a loop and the round before, NONE before the first */
    int32_t left;   /* the bits of what stands before the place */
    int looked_back;
} Walk;

static void
walk_free(Walk *walk)
{
    ints_free(&walk->pending);
    numbers_free(&walk->seen);
    numbers_free(&walk->found);
    ints_free(&walk->opens);
    numbers_free(&walk->rounds);
}

static int
point_push(Walk *walk, Point point)
{
    return ints_append(&walk->pending, (const int32_t *)&point, POINT_INTS) < 0 ? ERROR : 0;
}

/* Begin a round of a loop, after another one: its number, or ERROR. */
static int32_t
round_begun(Walk *walk, int32_t loop, int32_t round)
{
    int32_t begun[2] = {loop, round};
    return numbers_of(&walk->rounds, begun, 2);
}

#define OUTSIDE (-2)

/* The round before a loop's own, of those on the way; OUTSIDE if the loop has none there. */
static int32_t
round_before(const Walk *walk, int32_t round, int32_t loop)
{
    while (round != NONE) {
        const int32_t *begun = numbers_key(&walk->rounds, round);
        round = begun[1];
        if (begun[0] == loop) {
            return round;
        }
    }
    return OUTSIDE;
}

/* Note an entry: a place that reads a character, or at which the pattern has matched. */
static int
entry_found(Automaton *self, Walk *walk, Point point)
{
    point.condition = joined(self, point.condition, self->place[point.place].condition);
    if (point.condition < 0 || !is_possible(self, point.condition)) {
        return point.condition < 0 ? ERROR : 0;
    }
    int32_t known = walk->found.count;
    int32_t number = numbers_of(&walk->found, (const int32_t *)&point, ENTRY_INTS);
    return number < 0 || (number == known && ints_push(&walk->opens, point.opens) < 0) ? ERROR : 0;
}

/* Take an obligation on, unless the lookahead is decided here: returns whether the walk goes on. */
static int
look_begun(Automaton *self, const Walk *walk, const Place *place, Point *point)
{
    int32_t aside = item_at(self, place->aside, walk->left, NOTHING);
    if (aside < 0) {
        return aside;
    }
    int accepts = self->cache.item[aside].accepts, alive = self->cache.item[aside].alive;
    if (place->negate ? accepts : !(accepts || alive)) {
        return 0;
    }
    if (!accepts && alive) {
        point->obligations = obligations_with(self, point->obligations, place->negate, aside);
    }
    return point->obligations < 0 ? ERROR : 1;
}

/* Pass a place that reads no character: returns whether the walk goes on. */
static int
place_passed(Automaton *self, Walk *walk, const Place *place, Point *point)
{
    switch (place->kind) {
    case BEHIND:
        walk->looked_back = 1;
        return holds(self, place->condition, walk->left);
    case AHEAD:
        point->condition = joined(self, point->condition, place->condition);
        return point->condition < 0 ? ERROR : 1;
    case OPEN:
    case SHUT:
        point->opens = place->kind == OPEN;
        return 1;
    case LOOK:
        walk->looked_back = 1;
        return place->aside == NONE ? 1 : look_begun(self, walk, place, point);
    case ROUND:
        point->round = round_begun(walk, place->out, point->round);
        return point->round < 0 ? ERROR : 1;
    default:
        return 1;
    }
}

/* Go on by all ways of a place. If it `begins` a round, all ways but the way out are in it. */
static int
ways_pushed(Automaton *self, Walk *walk, const Place *place, Point point, int begins)
{
    int32_t outside = point.round;
    int32_t inside = begins ? round_begun(walk, point.place, outside) : outside;
    if (begins && inside < 0) {
        return ERROR;
    }
    for (int32_t way = place->count - 1; way >= 0; way--) {
        point.place = self->ways.at[place->first + way];
        point.round = point.place == place->out ? outside : inside;
        if (point_push(walk, point) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Go on from a point. */
static int
point_followed(Automaton *self, Walk *walk, Point point)
{
    const Place *place = &self->place[point.place];
    if (place->kind == UNKNOWN) {
        self->wanted = point.place;
        return WANTED;
    }
    int32_t before = place->kind == LOOP ? round_before(walk, point.round, point.place) : OUTSIDE;
    if (before != OUTSIDE && place->out != NONE) {
        /* As in `regex`, an empty round ends the loop, even if it has passed assertions. */
        point.place = place->out;
        point.round = before;
        return point_push(walk, point);
    }
    int32_t known = walk->seen.count;
    int32_t number = numbers_of(&walk->seen, (const int32_t *)&point, SEEN_INTS);
    if (number < known) {
        return number < 0 ? ERROR : 0;
    }
    if (place->kind == CHAR || place->kind == MATCH) {
        return entry_found(self, walk, point);
    }
    int goes_on = place_passed(self, walk, place, &point);
    if (goes_on <= 0) {
        return goes_on;
    }
    if (place->after != NONE) {
        point.place = place->after;
        return point_push(walk, point);
    }
    return ways_pushed(self, walk, place, point, place->kind == LOOP && before == OUTSIDE);
}

/* Walk from a place to all of its entries. */
static int
followed(Automaton *self, Walk *walk, int32_t first)
{
    Ints *pending = &walk->pending;
    int result = point_push(walk, (Point){first, FREE, NOTHING, NONE, 0});
    while (result >= 0 && pending->count) {
        Point point;
        pending->count -= POINT_INTS;
        memcpy(&point, pending->at + pending->count, sizeof(point));
        result = point_followed(self, walk, point);
    }
    return result;
}

/* Keep what a walk from a place has found as its epsilon closure: its number, or ERROR. */
static int32_t
closure_kept(Automaton *self, int32_t place, const Walk *walk)
{
    Cache *cache = &self->cache;
    int32_t key[2] = {place, walk->left}, count = walk->found.count, number;
    if (grown((void **)&cache->entry, &cache->entry_room, (int64_t)cache->entries + count,
              sizeof(Entry)) < 0
        || grown((void **)&cache->closure, &cache->closure_room,
                 (int64_t)cache->closures.count + 1, sizeof(Closure)) < 0
        || (number = numbers_of(&cache->closures, key, 2)) < 0) {
        return ERROR;
    }
    cache->closure[number] = (Closure){cache->entries, count, walk->looked_back};
    for (int32_t index = 0; index < count; index++) {
        const int32_t *found = numbers_key(&walk->found, index);
        cache->entry[cache->entries++]
            = (Entry){found[0], found[1], found[2], walk->opens.at[index]};
    }
    return number;
}

/* The epsilon closure of a place, given the bits `left` that hold before it: its number. */
static int32_t
closure_of(Automaton *self, int32_t place, int32_t left)
{
    int32_t key[2] = {place, left};
    int32_t number = numbers_find(&self->cache.closures, key, 2);
    if (number != NONE) {
        return number;
    }
    if (self->depth >= MAX_DEPTH) {
        return failed("lookaheads stand too deep within one another");
    }
    Walk walk = {.left = left};
    self->depth++;
    int32_t result = followed(self, &walk, place);
    self->depth--;
    if (result >= 0) {
        result = closure_kept(self, place, &walk);
    }
    walk_free(&walk);
    return result;
}

static int
is_certain(const Automaton *self, const Entry *entry)
{
    return self->place[entry->place].kind == MATCH && entry->condition == FREE
        && entry->obligations == NOTHING;
}

/* The bits that a condition asks for. */
static int32_t
condition_asks(Automaton *self, int32_t condition)
{
    const uint32_t *needs = (const uint32_t *)numbers_key(&self->conditions, condition);
    for (int32_t word = 0; word < self->words; word++) {
        self->scratch[word] = needs[word] | needs[self->words + word];
    }
    return scratch_number(self);
}

/* The bits, and those that the items of a set ask of the next character. */
static int32_t
with_items_asks(Automaton *self, int32_t asks, const int32_t *items, int32_t count)
{
    for (; asks >= 0 && count; count--, items++) {
        asks = either(self, asks, self->cache.item[*items].asks);
    }
    return asks;
}

/* The bits, and those that obligations ask of the next character. */
static int32_t
with_obligations_asks(Automaton *self, int32_t asks, int32_t obligations)
{
    const Cache *cache = &self->cache;
    const int32_t *obligation = numbers_key(&cache->obligation_sets, obligations);
    int32_t count = numbers_length(&cache->obligation_sets, obligations);
    for (; count; count--, obligation++) {
        asks = with_items_asks(self, asks, numbers_key(&cache->obligations, *obligation) + 1,
                               numbers_length(&cache->obligations, *obligation) - 1);
    }
    return asks;
}

/* The bits of the next character that matter to an item: those that it asks for itself, and those
   that may be asked for after that. */
static int32_t
item_asks(Automaton *self, const Item *item)
{
    int32_t asks = with_obligations_asks(self, self->behind, item->obligations);
    for (int32_t index = item->first; asks >= 0 && index < item->first + item->count; index++) {
        const Entry *entry = &self->cache.entry[index];
        int32_t asked = condition_asks(self, entry->condition);
        asks = asked < 0 ? asked : either(self, asks, asked);
        asks = asks < 0 ? asks : with_obligations_asks(self, asks, entry->obligations);
    }
    return asks;
}

/* The first entry of a closure by which the pattern has matched there: its index, or NONE. */
static int32_t
certain_entry(const Automaton *self, const Closure *closure)
{
    for (int32_t index = 0; index < closure->count; index++) {
        if (is_certain(self, &self->cache.entry[closure->first + index])) {
            return index;
        }
    }
    return NONE;
}

/* Copy an item's entries from its closure: a match cuts those that are less preferred; a lookaround
   may match in any way. */
static int
entries_taken(Automaton *self, Item *item, const Closure *closure)
{
    Cache *cache = &self->cache;
    int32_t certain = item->obligations == NOTHING ? certain_entry(self, closure) : NONE;
    item->accepts = certain != NONE;
    item->first = closure->first;
    item->count = closure->count;
    if (certain == NONE) {
        return 0;
    }
    int32_t place = cache->entry[closure->first + certain].place;
    if (self->cuts && (place == MATCHED || place == self->pending)) {
        item->count = certain;
        return 0;
    }
    if (grown((void **)&cache->entry, &cache->entry_room, (int64_t)cache->entries + closure->count,
              sizeof(Entry)) < 0) {
        return ERROR;
    }
    item->first = cache->entries;
    for (int32_t index = 0; index < closure->count; index++) {
        const Entry entry = cache->entry[closure->first + index];
        if (!is_certain(self, &entry)) {
            cache->entry[cache->entries++] = entry;
        }
    }
    item->count = cache->entries - item->first;
    return 0;
}

/* Number an item's continuations, one for each of its entries. */
static int
ahead_numbered(Automaton *self, Item *item)
{
    Cache *cache = &self->cache;
    item->ahead = cache->ahead_lists.count;
    item->ahead_count = item->count;
    for (int32_t index = 0; index < item->count; index++) {
        const Entry *entry = &cache->entry[item->first + index];
        int32_t key[4] = {entry->place, entry->condition, entry->obligations, item->obligations};
        int32_t ahead = numbers_of(&cache->aheads, key, 4);
        if (ahead < 0 || ints_push(&cache->ahead_lists, ahead) < 0) {
            return ERROR;
        }
    }
    return 0;
}

/* Fill in an item, given its place, the bits before it and its obligations. */
static int
item_filled(Automaton *self, Item *item, const Closure *closure)
{
    if (entries_taken(self, item, closure) < 0 || ahead_numbered(self, item) < 0) {
        return ERROR;
    }
    item->alive = item->count > 0;
    item->asks = item_asks(self, item);
    return item->asks < 0 ? ERROR : 0;
}

/* The item at a place; `left` has the bits that hold before it. */
static int32_t
item_at(Automaton *self, int32_t place, int32_t left, int32_t obligations)
{
    Cache *cache = &self->cache;
    left = behind_of(self, left);
    if (left < 0) {
        return left;
    }
    int32_t number = closure_of(self, place, left);
    if (number < 0) {
        return number;
    }
    const Closure closure = cache->closure[number];
    int32_t key[3] = {place, closure.looked_back ? left : NOTHING, obligations};
    number = numbers_find(&cache->items, key, 3);
    if (number == NONE) {
        Item item = {0};
        item.place = key[0];
        item.left = key[1];
        item.obligations = key[2];
        item.ends = ENDS_UNKNOWN;
        if (item_filled(self, &item, &closure) < 0
            || grown((void **)&cache->item, &cache->item_room, (int64_t)cache->items.count + 1,
                     sizeof(Item)) < 0
            || (number = numbers_of(&cache->items, key, 3)) < 0) {
            return ERROR;
        }
        cache->item[number] = item;
    }
    if (cache->item[number].ends == ENDS_UNKNOWN) {
        cache->item[number].ends = ENDS_ASKED;
        int32_t steps = steps_of(self, number, self->end);
        if (steps < 0) {
            cache->item[number].ends = ENDS_UNKNOWN;
            return steps;
        }
        cache->item[number].ends = cache->step[steps].matched ? ENDS : ENDS_NOT;
    }
    return number;
}

/* The item that an entry leads to: after its character, or one that only waits for its
   obligations. */
static int32_t
entry_target(Automaton *self, const Entry *entry, int32_t signature, int32_t obligations)
{
    const Place *place = &self->place[entry->place];
    if (place->kind == MATCH) {
        return item_at(self, self->pending, NOTHING, obligations);
    }
    int32_t after = place->after != NONE ? place->after : entry->place;
    return item_at(self, after, signature, obligations);
}

/* Add a way if its item can go on or has matched. An earlier way to the same item is preferred. */
static int
way_added(const Automaton *self, Ints *ways, Way way)
{
    int32_t known = 0;
    while (known < ways->count && ways->at[known] != way.item) {
        known += WAY_INTS;
    }
    if (known < ways->count) {
        ways->at[known + 1] |= way.opens && !self->cuts;
        return 0;
    }
    const Item *item = &self->cache.item[way.item];
    if (!item->alive && !item->accepts) {
        return 0;
    }
    return ints_append(ways, (const int32_t *)&way, WAY_INTS) < 0 ? ERROR : 0;
}

/* Find what a character leads an item to; returns whether the pattern has matched before it. */
static int
stepped(Automaton *self, int32_t number, int32_t signature, Ints *ways)
{
    const Item item = self->cache.item[number];
    int matched = 0;
    int32_t kept = obligations_advanced(self, item.obligations, signature);
    if (kept < 0) {
        return kept == UNMET ? 0 : kept;
    }
    for (int32_t index = 0; index < item.count; index++) {
        const Entry entry = self->cache.entry[item.first + index];
        if (!holds(self, entry.condition, signature)) {
            continue;
        }
        int32_t begun = obligations_advanced(self, entry.obligations, signature);
        if (begun == UNMET) {
            continue;
        }
        int32_t obligations = begun < 0 ? begun : obligations_joined(self, kept, begun);
        if (obligations < 0) {
            return obligations;
        }
        int is_match = self->place[entry.place].kind == MATCH;
        if (is_match && obligations == NOTHING) {
            matched = 1;
            if (self->cuts) {
                break;
            }
            continue;
        }
        int32_t target = entry_target(self, &entry, signature, obligations);
        Way way = {target, entry.opens, is_match && entry.place != self->pending};
        if (target < 0 || way_added(self, ways, way) < 0) {
            return target < 0 ? target : ERROR;
        }
    }
    return matched;
}

/* What a character of this signature leads to: the number of steps. */
static int32_t
steps_of(Automaton *self, int32_t item, int32_t signature)
{
    Cache *cache = &self->cache;
    int32_t key[2] = {item, signature};
    int32_t number = numbers_find(&cache->advanced, key, 2);
    if (number != NONE) {
        return number;
    }
    if (self->depth >= MAX_DEPTH) {
        return failed("lookaheads stand too deep within one another");
    }
    Ints ways = {0};
    self->depth++;
    int32_t matched = stepped(self, item, signature, &ways), result = matched;
    self->depth--;
    if (result >= 0
        && (grown((void **)&cache->way, &cache->way_room, (int64_t)cache->ways + ways.count / WAY_INTS,
                  sizeof(Way)) < 0
            || grown((void **)&cache->step, &cache->step_room,
                     (int64_t)cache->advanced.count + 1, sizeof(Steps)) < 0
            || (number = numbers_of(&cache->advanced, key, 2)) < 0)) {
        result = ERROR;
    }
    if (result >= 0) {
        cache->step[number] = (Steps){cache->ways, ways.count / WAY_INTS, matched};
        for (int32_t index = 0; index < ways.count; index += WAY_INTS) {
            Way way = {ways.at[index], ways.at[index + 1], ways.at[index + 2]};
            cache->way[cache->ways++] = way;
        }
        result = number;
    }
    ints_free(&ways);
    return result;
}

#endif
