// Plays events at a speed: they come as fast as the server has them, and are shown at their times.

const BUDGET = 6; // milliseconds of a frame in which steps are taken in

export class Player {
  #lanes; #speed; #queue = []; #at = 0; #now = 0; #frame = 0; #last = 0; #done; #live = false; #closed = false;

  /** `speed` says how fast it goes, Infinity for at once. */
  constructor(lanes, speed) {
    this.#lanes = lanes;
    this.#speed = speed;
  }

  /** Show the steps among some events as their time comes; resolves when the last was shown. */
  async play(events, { live, still, onStep }) {
    this.stop();
    this.#queue = [];
    this.#at = this.#now = 0;
    this.#live = live;
    this.#closed = false;
    this.#lanes.begin();
    const shown = new Promise((resolve) => { this.#done = resolve; });
    this.#last = performance.now();
    const tick = (time) => {
      this.#step(time, still, onStep);
      if (this.#frame) this.#frame = requestAnimationFrame(tick);
    };
    this.#frame = requestAnimationFrame(tick);
    let end = null;
    try {
      for await (const some of events)
        for (const event of some) {
          if (event.type === "step") this.#queue.push(event);
          else if (event.type !== "start") end = event;
        }
    } finally {
      this.#closed = true;
    }
    await shown;
    return end;
  }

  stop() {
    if (this.#frame) cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#done?.();
  }

  #step(time, still, onStep) {
    const speed = this.#live ? Infinity : this.#speed();
    this.#now += ((time - this.#last) / 1000) * speed;
    this.#last = time;
    const began = performance.now(), before = this.#at;
    while (this.#at < this.#queue.length && (speed === Infinity || this.#queue[this.#at].t <= this.#now)) {
      const step = this.#queue[this.#at];
      this.#queue[this.#at] = null; // it may be long, and is not looked at again
      this.#at += 1;
      this.#now = speed === Infinity ? step.t : this.#now;
      this.#lanes.take(step);
      onStep(step);
      if (this.#at % 64 === 0 && performance.now() - began > BUDGET) break;
    }
    const over = this.#closed && this.#at >= this.#queue.length;
    if (over) this.stop();
    if (this.#at > before && (!still || over)) this.#lanes.draw();
  }
}
