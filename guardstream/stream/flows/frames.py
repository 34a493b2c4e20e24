"""The flow of frames: each goes to the flow of its kind, and the result is written as bytes again.

What the guard does not change goes out byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from guardstream.errors import AdapterError, StageError
from guardstream.events import GUARD, Finding, FinishReason, is_refused
from guardstream.formats.adapter import NONE, Adapter, Call, Slot, Unknown
from guardstream.formats.errors import BLOCKED_CODE, errors_after
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.generic.text import PlainText
from guardstream.formats.hooks import hooks_of
from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import UNNAMED, Frame, Frames
from guardstream.framing.frames.text import MessageFrames
from guardstream.framing.json import escaped_strings, json_bytes, json_data, json_object
from guardstream.stream.flows.choosing import Choose
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.event_fields import EventFields, WaitingEvents, with_retry
from guardstream.stream.flows.fast_path import EventTemplates
from guardstream.stream.flows.flow import Known, Part, Sent
from guardstream.stream.flows.text import TextFlow
from guardstream.stream.flows.text_frames import OtherFrames, TextFrames, name_beside
from guardstream.stream.on_block import BlockError

Make: TypeAlias = Callable[[Adapter[Any]], "ChunkFlow[Any] | TextFlow"]
"""Returns the flow for an adapter."""

Check: TypeAlias = Callable[[str], bool]
"""Returns whether a text may be shown as it is."""

F = TypeVar("F", bound="ChunkFlow[Any] | TextFlow")

_TEXTS = ("text", "string")
"""The forms of an event's data that may be text."""

_PINGS = ("ping", "heartbeat", "keepalive", "keep-alive")
"""The names of events that only signal that the stream is alive."""

_MOST_LATE = 64
"""How many events may wait for held text."""

LONG_EVENT = 64 * 1024
"""An event of more bytes, or of more characters of data, is long.

Such an event takes several milliseconds. No later event is compared with it, and its text is
dropped as soon as it has been sent.
"""


class FrameFlow:
    """Guards the frames of one stream, once the framing is known.

    Each frame goes to the flow of its kind: a provider's chunks, text (plain or JSON strings, as
    the first text decides), and all other JSON, which is unknown. Comments between events go out if
    the policy would not change them. Held text goes out with a later event.
    """

    def __init__(
        self,
        frames: Frames | None,
        choose: Choose,
        make: Make,
        check: Check,
        unknown: Unknown,
        block_error: BlockError | None = None,
        is_idle: Callable[[], bool] = bool,
    ) -> None:
        """`is_idle` says whether the policy does nothing; `block_error` returns the message of the
        error that ends a blocked stream, given the rule; None ends it with a finish reason."""
        self.findings: list[Finding] = []
        self.ended: FinishReason | None = None
        self.error: Exception | None = None
        self.failure: bytes | None = None  # the frame that says that a rule blocked the stream
        self.has_timer = False
        self.finds_texts = True  # whether the text of an event may leave in a copy of that
        self._frames = frames
        self._choose = choose
        self._make = make
        self._check = check
        self._unknown = unknown
        self._block_error = block_error
        self._is_idle = is_idle
        self.is_cut = False  # whether the source has ended inside a frame
        self._chunks: ChunkFlow[Any] | None = None
        self._text: TextFrames | None = None
        self._other: OtherFrames | None = None
        self._by_event = False  # chunks are events with their names
        self._templates = EventTemplates()
        self._text_event_name = ""  # the name of the last event with text
        self._last: Frame | None = None
        self._ends = b""  # events that say that the stream is done, and wait for a proof
        self._waiting = WaitingEvents()
        self._late: list[Frame] = []  # events of other names, which wait for held text
        self._behind: list[tuple[Frame, bytes]] = []  # waiting chunks, and what came after each
        self._fields = EventFields()

    @property
    def _flows(self) -> list[ChunkFlow[Any] | TextFlow]:
        apart = (self._text, self._other)
        flows = [self._chunks, *(each.flow for each in apart if each is not None)]
        return [flow for flow in flows if flow is not None]

    @property
    def blocked_by(self) -> str | None:
        if self.error is not None:
            return GUARD
        return next((flow.blocked_by for flow in self._flows if flow.blocked_by), None)

    @property
    def calls(self) -> Mapping[Slot, Call]:
        return self._chunks.calls if self._chunks else NONE

    @property
    def ending(self) -> Sequence[Part]:
        return self._chunks.ending if self._chunks else ()

    @property
    def usage(self) -> Any:
        return self._chunks.usage if self._chunks else None

    @property
    def _known(self) -> Known:
        return Known(len(self.findings), self.calls, self.usage)

    @property
    def format(self) -> str:
        return self._flows[0].format if self._flows else "bytes"

    @property
    def held(self) -> int:
        return sum([flow.held for flow in self._flows])

    def _guard_frames(self, frames: Iterator[Frame]) -> list[Sent[bytes]]:
        """Take frames until one ends the stream; an error is raised after what came before it."""
        sent: list[Sent[bytes]] = []
        noted, known = 0, self._known
        try:
            for frame in frames:
                earlier = len(sent)
                sent += self._with_fields(self._guard_frame(frame), frame)
                now = self._known
                if now.has_grown(known):
                    for each in sent[noted:earlier]:
                        each.known = known
                    noted, known = earlier, now
                if self.ended is not None:
                    break
        except (AdapterError, StageError) as error:
            if not sent:
                raise
            self.error, self.ended = error, "error"
        return sent

    def _with_fields(self, sent: list[Sent[bytes]], frame: Frame) -> list[Sent[bytes]]:
        """Return what goes out for an event, with its `retry`, and its id if that may go out."""
        if not isinstance(self._frames, EventFrames):
            return sent
        self._fields.note(frame)
        if frame.retry is not None and self.ended is None:
            sent = with_retry(sent, frame)
        return self._with_id(sent)

    def _with_id(self, sent: list[Sent[bytes]]) -> list[Sent[bytes]]:
        if not self._fields.waits:
            return sent
        held = bool(self.ended is not None or self.held or self._waiting or self._late)
        return self._fields.placed(sent, held=held)

    def _guard_frame(self, frame: Frame) -> list[Sent[bytes]]:
        return self._queued(frame) if self._late or self._must_wait(frame) else self._now(frame)

    def _cut(self, frame: Frame) -> list[Sent[bytes]]:
        """Take what the source's end has cut off: no client reads it, so it is left out, unless
        nothing is to be guarded."""
        self.is_cut = True
        if self._chunks is not None:
            self._chunks.is_cut = True
        if self._is_idle():
            self._ends += frame.raw
        return []

    def _now(self, frame: Frame) -> list[Sent[bytes]]:
        if frame.cut:
            return self._cut(frame)
        if frame.note and not self._check(frame.note):
            return []
        if frame.unread and not self._may_show(frame.unread):
            frame = replace(frame, raw=frame.spare)
        if (frame.name not in UNNAMED or frame.id) and self._others.has_named(frame):
            self._others.judge_names(frame)
            if self._others.flow.ended is not None:
                return self._block_by_others()
        if frame.done:
            return self._note_done(frame)
        if not frame.value and not self._is_text(frame):
            if self._chunks is not None and self._chunks.is_undecided and self._last is not None:
                self._behind.append((self._last, frame.raw))
                return []
            return self._after_held_text([Sent(frame.raw)], frame)
        sent = self._with_ends(self._ordered(frame))
        if len(frame.raw) > LONG_EVENT and self.ended is None:
            self._forget()
        return sent

    def _note_done(self, frame: Frame) -> list[Sent[bytes]]:
        """Take the event that says that the stream is done; it proves nothing. It waits for what
        waits for a proof, and for held text."""
        if self._chunks is not None:
            self._chunks.note_done()
        if self._ends or self._awaits_proof:
            self._ends += frame.raw
            return []
        return [Sent(frame.raw)]

    def _with_ends(self, sent: list[Sent[bytes]]) -> list[Sent[bytes]]:
        """Return what goes out, with the source's own end if that has nothing more to wait for, or
        with the guard's."""
        if self._ends and not self._awaits_proof:
            sent.append(Sent(self._ends))
            self._ends = b""
        return sent + self._note_end() if self.ended is None else sent

    @property
    def awaits_silence(self) -> bool:
        return self._chunks is not None and bool(self._late or self._chunks.awaits_silence)

    @property
    def awaits_event(self) -> bool:
        return self._chunks is not None and self._chunks.awaits_event

    def release_events(self) -> Sequence[Sent[bytes]]:
        """Return what is held of events: the other side speaks, or nothing comes."""
        if self._chunks is None:
            return ()
        sent = self._written(self._chunks.release_events(), self._last)
        return self._with_id(self._with_ends(sent))

    def believe(self) -> Sequence[Sent[bytes]]:
        if self._chunks is None:
            return ()
        sent = self._written(self._chunks.believe(), self._last)
        if self._late and self.ended is None:
            sent += self._before_late(self._chunks)
        return self._with_id(self._with_ends(sent))

    def _before_late(self, chunks: ChunkFlow[Any]) -> list[Sent[bytes]]:
        """Return the held text, and then the events of other names that wait for it."""
        return [*self._written(chunks.settle_texts(), self._last), *self._released_late()]

    @property
    def _awaits_proof(self) -> bool:
        """Whether text is held, or a chunk that says that the stream ends waits for a proof."""
        chunks = self._chunks
        return bool(self.held or (chunks is not None and chunks.waits_for_proof))

    def _may_show(self, unread: str) -> bool:
        """Return whether lines that clients ignore may stay, read as text and as JSON."""
        values = (line.partition(":")[2].lstrip() or line for line in unread.split("\n"))
        escaped = (text for value in values for text in escaped_strings(value))
        return self._check(unread) and all(map(self._check, escaped))

    # The order of text and other events

    def _is_text(self, frame: Frame) -> bool:
        """Return whether a frame with an empty value is text as written: `{}`, `[]` or `""`."""
        if self._text is None or not frame.data or self._is_separate_event(frame):
            return False
        return frame.form != "string" or not self._text.quoted

    def _is_separate_event(self, frame: Frame) -> bool:
        """Return whether JSON among text is a separate event, because it has another name."""
        if self._text is None or frame.form not in ("object", "list"):
            return False
        return frame.name not in (*UNNAMED, self._text.name)

    def _ordered(self, frame: Frame) -> list[Sent[bytes]]:
        """Guard a frame; return what goes out now, including events that waited for text."""
        chunks = self._chunks
        is_other = frame.form in _TEXTS and frame.value not in (None, "") and not frame.done
        early: list[Sent[bytes]] = []
        if is_other and chunks is not None and chunks.awaits_event:
            early = self._written(chunks.release_events(), self._last)
            if self.ended is not None:
                return early
        before, self._last = self._last, frame
        sent = [*early, *self._route(frame)]
        if self._is_separate_event(frame) and self._chunks is None:
            self._last = before  # held text goes out before it
        elif self._waiting and self.ended is None:
            sent += self._waiting.note_text(len(str(frame.value)), self._held_text)
        return sent

    def _must_wait(self, frame: Frame) -> bool:
        """Return whether an event may end the text that is held, because it has another name than
        the events of text."""
        chunks = self._chunks
        if chunks is None or not chunks.held:
            return False
        if frame.name in (*UNNAMED, *_PINGS) or frame.name == self._text_event_name:
            return False
        if chunks.hooks.speaks is None:  # the flow of chunks lets objects wait
            return chunks.awaits_event and (frame.form != "object" or not frame.value)
        return frame.form != "alike" and not chunks.hooks.speaks(frame.value)

    def _queued(self, frame: Frame) -> list[Sent[bytes]]:
        """Let an event wait for held text: until what follows has shown what becomes of that, or
        the source ends."""
        assert self._chunks is not None
        is_text = not frame.done and frame.name in (*UNNAMED, self._text_event_name)
        if not is_text and len(self._late) < _MOST_LATE:
            self._late.append(frame)
            return []
        sent = [] if is_text else self._released_late()
        sent += self._now(frame)
        over = self._chunks.held <= len(str(frame.value))
        return sent + self._released_late() if over else sent

    def _released_late(self) -> list[Sent[bytes]]:
        late, self._late = self._late, []
        return [sent for frame in late if self.ended is None for sent in self._now(frame)]

    def _after_held_text(self, sent: list[Sent[bytes]], frame: Frame) -> list[Sent[bytes]]:
        """Let an event wait for the held text before it."""
        if not self._held_text or frame.name in (*UNNAMED, *_PINGS):
            return sent
        return self._waiting.add(sent, is_long=len(frame.raw) > LONG_EVENT)

    @property
    def _held_text(self) -> int:
        return self._text.flow.held if self._text is not None else 0

    def _forget(self) -> None:
        """Drop the last frame's text, which is long, as far as nothing can need it.

        Later chunks are then written differently. So this must depend on the frame alone, not on
        where its bytes were cut or when they were delivered.
        """
        if self._last is not None:
            self._last = replace(self._last, value=None, raw=b"", data="")
        if isinstance(self._frames, EventFrames):
            self._frames.template = None
        for flow in self._flows:
            flow.forget()

    # The flow of a frame

    def _route(self, frame: Frame) -> list[Sent[bytes]]:
        if frame.form == "alike":
            sent = self._feed_alike(frame)
            if sent is not None:
                self._text_event_name = frame.name
                return sent
            value, form = json_data(frame.data)
            frame = self._last = replace(frame, value=value, form=form)
        if self._chunks is None and frame.name not in UNNAMED:
            self._begin_events(frame)
        if self._by_event:
            named = {"event": frame.name, "data": frame.value}
            frame = self._last = replace(frame, value=named, form="object")
        if frame.form == "object":
            if self._chunks is None and (self._text is None or self._is_known(frame.value)):
                self._begin_chunks(frame.value)
            if self._chunks is not None:
                sent = self._written(self._guard_chunk(self._chunks, frame), frame)
                self._note_template(frame, self._chunks)
                return sent
        elif frame.form in _TEXTS and (self._text is not None or self._chunks is None):
            return self._guard_text(frame)
        if frame.form == "text" and frame.data.lstrip()[:1] in ("{", "["):
            raise AdapterError("the data of a server-sent event is not a JSON object")
        return self._guard_other(frame)

    def _guard_chunk(self, chunks: ChunkFlow[Any], frame: Frame) -> Sequence[Sent[Any]]:
        """Guard a chunk, and remember the event's name if it had text."""
        chunks.enter("" if self._by_event else name_beside(frame))
        if frame.name in UNNAMED or self._by_event or _names_itself(frame.value):
            if isinstance(self._frames, EventFrames) and chunks.hooks.speaks is not None:
                self._text_event_name = self._text_event_name or "message"
            return chunks.feed(frame.value, frame)
        before = chunks.held
        sent = chunks.feed(frame.value, frame)
        has_text = any(each.origin is frame and (each.text or each.parts) for each in sent)
        if has_text or chunks.held > before:
            self._text_event_name = frame.name
        return sent

    def _feed_alike(self, frame: Frame) -> list[Sent[bytes]] | None:
        """Guard an event of which only the text was read; None if it must be parsed after all."""
        frames, chunks = self._frames, self._chunks
        assert isinstance(frames, EventFrames)
        alike = self._templates.of(frames, chunks)
        if alike is None or chunks is None:
            return None
        sent = chunks.feed_alike(
            str(frame.value),
            alike.value,
            frame,
            lambda _, texts: alike.with_text(texts[0], frame.data),
            lambda: json_object(frame.data),
        )
        return None if sent is None else [self._alike_sent(each, frame) for each in sent]

    def _alike_sent(self, sent: Sent[Any], frame: Frame) -> Sent[bytes]:
        if sent.origin is not frame:
            return self._written([sent], frame)[0]
        raw = frame.raw
        if sent.chunk is not frame.value:
            name = b"" if frame.name in UNNAMED else b"event: %b\n" % frame.name.encode()
            raw = b"%bdata: %b\n\n" % (name, sent.chunk.encode())
        return Sent(raw, sent.text, sent.characters, sent.parts, frame)

    def _note_template(self, frame: Frame, chunks: ChunkFlow[Any]) -> None:
        """Create a template for later events, if this one is fit for that."""
        frames = self._frames
        may_be = not self._by_event and len(frame.data) <= LONG_EVENT
        if may_be and isinstance(frames, EventFrames):
            self._templates.note(frames, frame, chunks)

    def _is_known(self, value: Any) -> bool:
        """Return whether a JSON object among text is a chunk of a known format."""
        try:
            adapter = self._choose(value)
        except AdapterError:
            return False
        # A format of one's own may begin with any event, but not in the middle of a text.
        speaks = hooks_of(adapter).speaks
        return type(adapter) not in (PlainText, AnyJSON) and (speaks is None or speaks(value))

    def _begin_events(self, frame: Frame) -> None:
        """Create the flow for events with their names, if the format has such chunks."""
        try:
            adapter = self._choose({"event": frame.name, "data": frame.value})
        except AdapterError:
            return
        self._by_event = hooks_of(adapter).by_event

    def _begin_chunks(self, value: Any) -> None:
        """Create the flow for a provider's chunks, or for text if the caller asked for that."""
        adapter = self._choose(value)
        flow = self._shared(self._make(adapter))
        flow.has_timer = self.has_timer
        if isinstance(flow, ChunkFlow):
            # An array has its own places for brackets.
            flow.finds_texts = self.finds_texts and not self._frames_are_array
            self._chunks = flow
        else:
            self._text = self._new_text_frames(flow, quoted=False)

    def _shared(self, flow: F) -> F:
        """Return a flow that shares its findings with the others."""
        flow.findings = self.findings
        return flow

    def _new_text_frames(self, flow: TextFlow, *, quoted: bool) -> TextFrames:
        assert self._frames is not None
        return TextFrames(flow, self._frames, self._others, quoted=quoted)

    @property
    def _others(self) -> OtherFrames:
        """The guard of frames that are neither a provider's chunk nor text."""
        if self._other is None:
            flow = self._make(AnyJSON())
            assert isinstance(flow, ChunkFlow)
            self._other = OtherFrames(self._shared(flow))
        return self._other

    def _guard_text(self, frame: Frame) -> list[Sent[bytes]]:
        """Guard text; a JSON string is guarded both decoded and as it is written."""
        whole = isinstance(self._frames, (EventFrames, MessageFrames))  # a frame, never cut
        if frame.form == "text" and whole and self._unknown != "pass":
            self._refuse_hidden(frame.data)
        if self._text is None:
            flow = self._make(self._choose(frame.value))
            if isinstance(flow, ChunkFlow) and whole:  # an adapter that is not for text
                self._chunks = self._shared(flow)
                return self._guard_other(frame)
            if isinstance(flow, ChunkFlow):
                flow = self._make(PlainText())
                assert isinstance(flow, TextFlow)
            self._text = self._new_text_frames(self._shared(flow), quoted=frame.form == "string")
        return self._unless_blocked(self._text.feed(frame))

    def _unless_blocked(self, sent: list[Sent[bytes]]) -> list[Sent[bytes]]:
        """Return what goes out for a text, or how the stream ends if another reading of it
        blocks."""
        return sent if self._others.flow.ended is None else self._block_by_others()

    def _refuse_hidden(self, data: str) -> None:
        """Refuse text if a line begins with JSON in which escapes hide what a rule finds: clients
        may parse each line."""
        if "\\" in data and not all(map(self._check, escaped_strings(data))):
            raise AdapterError(
                "a rule finds something in the JSON that a line of an event's data begins with: "
                "send one value of JSON in each event, and a blank line after it"
            )

    def _guard_other(self, frame: Frame) -> list[Sent[bytes]]:
        """Guard a value by its paths; in a stream of text, its bytes are also guarded as text."""
        if self._unknown == "refuse":
            raise AdapterError(
                f"{frame.form} data among other events is not known, and `unknown: refuse` is set"
            )
        if self._unknown == "drop" and self._text is None:
            return []
        passes = frame.form == "number" and self._check(str(frame.value))
        if self._text is None and (passes or self._unknown == "pass"):
            return self._written([Sent(frame.value, origin=frame)], frame)
        value = self._others.value(frame)
        apart = self._text is None or self._is_separate_event(frame)
        may_show = frame.data and apart  # clients may show an event's data as it is
        if value is not None and may_show and frame.form in ("list", "string"):
            raw = frame.data
            if value is frame.value:
                raw = self._others.judged("raw", raw, frame.name)
            value = value if raw == frame.data else raw
        if self._others.flow.ended is not None:
            return self._block_by_others()
        if value is None:
            return []
        if self._text is not None and not apart:
            same = value is frame.value and frame.data
            text = frame.data if same else json_bytes(value).decode()
            return self._unless_blocked(self._text.feed_json(frame, text))
        if frame.form == "string" and value is not frame.value:
            value = json_bytes(value).decode()
        return self._after_held_text(self._written([Sent(value, origin=frame)], frame), frame)

    # The end

    def _block_by_others(self) -> list[Sent[bytes]]:
        """End the stream as blocked by a frame that is neither a chunk nor text."""
        self.ended, rule = self._others.flow.ended, self._others.flow.blocked_by
        sent: list[Sent[bytes]] = []
        if self._chunks is not None:
            sent = self._written(self._chunks.block(rule), self._last)
        elif self._text is not None:
            sent = self._text.block(rule, self._last)
        return sent + self._close()

    def _note_end(self) -> list[Sent[bytes]]:
        """End the stream if one of its flows has ended."""
        for flow in self._flows:
            if flow.ended is not None and self.ended is None:
                self.ended = flow.ended
                return self._close()
        return []

    def _settle(self) -> list[Sent[bytes]]:
        """Finish the flows: what they hold goes out or blocks. Then comes the source's own end, if
        it waited."""
        last = [Sent(self._ends)] if self._ends else []
        if not self._flows:
            return last
        sent: list[Sent[bytes]] = []
        if self._late and self._chunks is not None:
            sent += self._before_late(self._chunks)
        if self._text is not None:
            sent += self._text.finish(self._last)
            sent += self._waiting.release() if not _is_closed(self._text.flow) else []
        if self._chunks is not None:
            sent += self._written(self._chunks.finish(), self._last)
        ended_by_source = self._chunks is not None and self._chunks.ended_by_source
        closed = next((flow.ended for flow in self._flows if _is_closed(flow)), None)
        if closed and (self._block_error is not None or not ended_by_source):
            self.ended = closed
            # An array that an error ends still gets its closing bracket.
            keeps = self._block_error is not None and self._frames_are_array
            is_unnamed = self._chunks is not None and self._chunks.hooks.name == "json"
            end = self._close()
            last = end + last if keeps else end or ([] if is_unnamed else last)
        return sent + last

    @property
    def _frames_are_array(self) -> bool:
        return self._frames is not None and self._frames.media == "json_array"

    def _close(self) -> list[Sent[bytes]]:
        """Return the frame that ends the stream, if its format has one and the guard ends it."""
        assert self._frames is not None
        if self._block_error is not None and is_refused(self.ended, self.blocked_by):
            return self._blocked_frames(self._block_error(self.blocked_by))
        hooks = self._chunks.hooks if self._chunks else None
        failed = self.ended == "error" and self.blocked_by != GUARD
        if hooks is None or failed or not isinstance(self._frames, EventFrames):
            end = self._frames.close("" if hooks is None or failed else hooks.sse_end)
            return [Sent(end)] if end else []
        mark, name = hooks.sse_end.replace("{finish}", self.ended or "stop"), hooks.sse_end_name
        end = self._frames.write(mark, None, keep_id=False, name=name) if mark else b""
        return [Sent(end)] if end else []

    def _blocked_frames(self, message: str) -> list[Sent[bytes]]:
        """Return the frame that ends a blocked stream with an error; a text has no such frame."""
        assert self._frames is not None
        if self._text is not None and self._frames.media == "messages":
            return []
        last = self._last.value if self._last is not None else None
        errors = errors_after(self.format, last)
        self.failure = errors.written(self._frames, BLOCKED_CODE, message)
        return [Sent(self.failure)] if self.failure else []

    def _written(self, sent: Sequence[Sent[Any]], frame: Frame | None) -> list[Sent[bytes]]:
        """Return chunks as bytes: the original bytes if the chunk is unchanged."""
        assert self._frames is not None
        written: list[Sent[bytes]] = []
        for place, each in enumerate(sent, 1):
            chunk, origin = each.chunk, each.origin
            unchanged = origin is not None and origin.value is chunk
            if unchanged:
                raw = origin.raw
            else:
                has_text = bool(each.text or each.parts)
                added = each.name or self._name_of(chunk, has_text=has_text)
                name = added if origin is None else origin.name
                value = _data_like(origin or frame, chunk["data"]) if self._by_event else chunk
                raw = self._frames.write(value, frame, keep_id=place == len(sent), name=name)
            raw = self._frames.between(origin if unchanged else None) + raw
            begins = each.begins
            written.append(Sent(raw, each.text, each.characters, each.parts, origin, begins=begins))
            while self._behind and origin is self._behind[0][0]:
                written.append(Sent(self._behind.pop(0)[1]))
        if self._behind and self._chunks is not None and not self._chunks.is_undecided:
            written += [Sent(raw) for _, raw in self._behind]
            self._behind.clear()
        return written

    def _name_of(self, chunk: Any, *, has_text: bool) -> str:
        """Return the name of an event that the guard adds; none if the source names none.

        An event with text gets the name of the last event that had text, because the current one
        may be the final event.
        """
        if self._by_event:
            return str(chunk["event"])
        named = self._other is not None and self._other.knows_names
        name = self._chunks.hooks.event_name if self._chunks else None
        if name and named and not has_text:
            return name(chunk)
        return self._text_event_name if has_text and not _names_itself(chunk) else ""


def _is_closed(flow: ChunkFlow[Any] | TextFlow) -> bool:
    return is_refused(flow.ended, flow.blocked_by)


def _names_itself(chunk: Any) -> bool:
    """Return whether an event's data contains its name, as Anthropic's do."""
    return isinstance(chunk, dict) and isinstance(chunk.get("type"), str)


def _data_like(frame: Frame | None, data: Any) -> Any:
    """Return an event's data as it is written: a text becomes a JSON string if the data of the
    frame that it comes from is one."""
    is_quoted = frame is not None and frame.data.lstrip()[:1] == '"'
    return json_bytes(data).decode() if is_quoted and isinstance(data, str) else data
