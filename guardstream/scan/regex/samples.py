"""What is read when patterns are loaded, so that a first stream need not build what nearly every
text asks for: what answers of models look like."""

from __future__ import annotations

ANSWER = """Here is the short answer: yes, you can do that, but you should know what it will cost.

1. **Open** `settings.yaml`, and change `timeout: 30` to 120.
2. Run it again. The output is about 45% smaller - or $12.50 less - than in 2019.

```python
def total(rows: list[dict[str, float]], key="price") -> float:
    return sum(row[key] for row in rows if row.get("count", 0) > 1)
```

> That doesn't work for everyone, though; see https://example.org/docs/start#third-step
> or ask someone who has built one before. They'd probably suggest the "new" version.

{"id": 7, "name": "first", "tags": ["a", "b"], "ok": true}

However, most of these questions have more than one good answer. Which way would you
rather go? I think we were right about the other file, because it has never been used.
"""
"""What answers of models look like: English, Markdown, code and JSON."""

LONG_ANSWER = """## Why bread rises

Yeast is a living thing: a fungus that feeds on sugar and gives off carbon dioxide. While you
knead, long proteins join up and form a web, which bakers call gluten. Bubbles get caught in
it, so the dough swells to about twice its volume within 90 minutes (at 24 °C; in a fridge it
needs 8-12 hours).

- *Flour*: 500 g, ideally with at least 12% protein
- *Water*: 350 ml, lukewarm - hot water (above 55 degrees) kills the yeast!
- *Salt*: two teaspoons, unless your doctor objects; **don't** leave it out entirely

| Step | Minutes | What happens |
|------|---------|--------------|
| Mix | 5 | flour takes up water |
| Rest | 30-40 | enzymes begin to work |

Why did mine stay flat? Perhaps the packet was past its date, or a draught cooled the bowl.
Julia, who runs a bakery in Quebec, says: "Be patient. Judge by the dough, never by the
clock." She's right.

### A short history

In ancient Egypt, around 1500 BC, brewers and bakers often shared one house. The Romans built
public ovens; by 168 BC there was even a guild. Louis Pasteur proved in 1857 that microbes
cause fermentation, and since the 1870s factories have pressed fresh yeast into blocks. Dry
yeast was developed during World War II, because soldiers could carry it without
refrigeration.

1) Weigh everything first, i.e. before you touch any flour.
2) Combine, cover and wait; then fold gently, turn, and fold once more.
3) Preheat the oven to 230 °C (450 °F). Score the loaf, spray some water, and bake for 35 minutes.

You'll know it's done when it sounds hollow. Let it cool on a rack, however tempting the smell
is! For further reading, look up "autolyse" or visit
www.example.com/baking?topic=yeast&level=2. I'm happy to explain sourdough, quick breads, or
gluten-free mixtures next; just tell me which kind you'd enjoy.

To sum up, three things matter most: time, temperature, and enough water. If anything goes
wrong, ask yourself whether each of these was checked. Anyway, hope that helped, and good luck
with your first loaf. Would you prefer a recipe for pizza, bagels, or something sweet, such as
cinnamon rolls?

---

Dear Ms. Okafor,

Thank you for your letter of 14 March. We've looked into order no. 4417 (two lamps, one shade),
which left our warehouse in Leeds at 9:40 a.m. on Tuesday, 5 March; it should've reached you by the
8th. Unfortunately, the courier's van broke down near Sheffield, and nobody told us until today.
I'm truly sorry! Because of this, you'll receive a full refund of £86.20 within five working days,
as well as a voucher worth 10%. Please don't send anything back.

Yours sincerely,
Daniel Whitcombe - Customer Service

**Q: Which of the three plans suits a team of twelve?**

A: It depends on how often you'd publish. If that's once or twice a week, "Basic" is plenty: it
allows 20 projects, keeps backups for 30 days, and costs $9/month. Anything beyond it (e.g. single
sign-on, audit logs, or an on-premises server) requires "Business", though few people use those
features straight away. Frankly, I'd begin small. You can always upgrade later; going back, on the
other hand, isn't possible before January 2026.

```sh
git clone https://example.com/tools/sorter.git && cd sorter
make test V=1 2>&1 | tee out.log   # about 3 minutes
```

The function above fails for two reasons. First, `items[i + 1]` reads past the end whenever `i ==
len(items) - 1`; second, a missing key raises KeyError instead of being skipped. Here's what I
would write: `for left, right in zip(items, items[1:]):`, which never leaves the list. Note that
None is falsy, so `if value` also drops 0 and "" - perhaps not what was meant.

THE OLD LIGHTHOUSE. Nobody knew exactly why Mr. Ferris had stayed. "Somebody must keep watch," he
used to say, laughing, "and I sleep badly anyhow!" Every evening he climbed the hundred and twelve
steps, lit the lamp, opened the window towards the north, and listened. Gulls cried; waves broke
upon the rocks below; far away, a bell-buoy rang. Once, during the great storm of 1911, he had
thought he heard voices out there, calling, quite clearly, his own name... Had it been only the
wind? He never found out.

Glaciers, Rivers and Lakes
==========================

Glaciers form where more snow falls each winter than melts during summer. Layer upon layer, it is
pressed into ice, which begins to flow downhill under its own weight, usually a few centimetres per
day. Moving ice scrapes soil from valley floors, grinds boulders to powder, and carries both for
miles. Whenever its front retreats, ridges of gravel (moraines) remain; behind them, meltwater often
gathers in long, narrow basins. Geologists can therefore read such landscapes much as historians
read letters: Lake Geneva, the fjords of Norway and Ohio's fertile plains all owe their shape to
vanished ice.

Questions about insurance? Generally speaking, an insurer must reply within thirty days. Should your
claim be rejected, (a) request the decision in writing, (b) gather receipts, photographs and any
witness reports, (c) appeal before the deadline, and (d) consult a lawyer if large sums are at
stake. Neither party may alter terms afterwards; verbal agreements, although binding in principle,
are hard to prove.

"Good morning," said Ines, yawning. "Did you sleep at all?"

"Hardly. Those neighbours quarrelled until half past four. Coffee?"

"Yes, please. Black, no sugar. Listen - about yesterday: I shouldn't have shouted."

"Oh, forget it," Victor replied, shrugging. "We're both exhausted."

DAY 1: Arrive at Lisbon, drop bags, ride tram no. 28 uphill. DAY 2: Museum in the morning, grilled
sardines for lunch, sunset by the river. DAY 3: Early train to Sintra; climb towards the Moorish
castle; back around 19:30.

Jazz grew up in New Orleans, where African rhythms, European harmony, brass bands, blues and ragtime
met. King Oliver hired a young cornetist, Louis Armstrong, in 1922; five years on, his solos had
changed music for good. Swing followed, then bebop: quicker, angular, harder to dance to. Every
generation since has argued whether what came next deserved the name.

Mix equal parts vinegar and baking soda if drains smell; never combine bleach with ammonia. Elderly
people, infants and anyone with asthma should avoid fumes. Symptoms such as dizziness, vomiting or
chest pain require urgent medical attention. Usually, though, opening windows is enough.
"""
"""A longer one for the Python form, which takes twenty times as long to build a state."""
