// Plays events at a speed: they come as fast as the server has them, and are shown at their times.

const BUDGET = 6; // milliseconds of a frame in which steps are taken in

/** One stream that is shown: its steps, and how far it is. */
class Run {
  queue = []; at = 0; now = 0; last = performance.now(); closed = false; frame = 0;
  shown = new Promise((resolve) => { this.resolve = resolve; });

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.resolve();
  }
}

export class Player {
  #lanes; #speed; #run = null;

  /** `speed` says how fast it goes, Infinity for at once. */
  constructor(lanes, speed) {
    this.#lanes = lanes;
    this.#speed = speed;
  }

  /** Show the steps among some events as their time comes; resolves when the last was shown. */
  async play(events, { live, still, onStep }) {
    this.stop();
    const run = (this.#run = new Run());
    this.#lanes.begin();
    const tick = (time) => {
      this.#step(run, time, { live, still, onStep });
      if (run.frame) run.frame = requestAnimationFrame(tick);
    };
    run.frame = requestAnimationFrame(tick);
    let end = null;
    try {
      for await (const some of events)
        for (const event of some) {
          if (event.type === "step") run.queue.push(event);
          else if (event.type !== "start") end = event;
        }
    } finally {
      run.closed = true;
    }
    await run.shown;
    return end;
  }

  stop() { this.#run?.stop(); }

  #step(run, time, { live, still, onStep }) {
    const speed = live ? Infinity : this.#speed();
    run.now += (Math.max(time - run.last, 0) / 1000) * (speed === Infinity ? 0 : speed);
    run.last = time;
    const began = performance.now(), before = run.at;
    while (run.at < run.queue.length && (speed === Infinity || run.queue[run.at].t <= run.now)) {
      const step = run.queue[run.at];
      run.queue[run.at] = null; // it may be long, and is not looked at again
      run.at += 1;
      if (speed === Infinity) run.now = step.t;
      this.#lanes.take(step);
      onStep(step);
      if (run.at % 64 === 0 && performance.now() - began > BUDGET) break;
    }
    const over = run.closed && run.at >= run.queue.length;
    if (over) run.stop();
    if (run.at > before && (!still || over)) this.#lanes.draw();
  }
}
