"""Decides whether a stand-in is part of a URL, where it is not restored.

A URL sends the values in it to its host: whoever makes a model write a link or an image could read
them on a server of theirs. `mailto:` and `tel:` only name a recipient, and fetch nothing.

There are two kinds of addresses:

- A plain address has no spaces. The text directly before a stand-in shows it (`plain`), also where
  renderers take code and templates (`code`) or the rest of a line (`definitions`) for a part of it.
- In markup, an address may contain spaces: the value of an attribute, the target of a link, a
  string. `following` keeps the states of all constructs that are open. A module for each markup
  names its states, what opens them and how they end, and who reads it so: `html`, `css`,
  `markdown`, `tex`, `directives`, `wikis`, `mermaid`, `fields`, `terminals`; `strings` is for
  quotes in any language.

`judging` decides by both. Where readers differ, an address is what any of them takes for one.
"""
