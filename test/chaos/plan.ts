import type { Family, Fault } from './faults/fault.ts';
import { Random } from './world/random.ts';

/** Two faults of which the second comes while the first lasts, or shortly after. */
export interface Episode {
  readonly first: Planned;
  readonly second: Planned;
  /** Between the beginnings, ms. */
  readonly offsetMs: number;
  /** Without faults before it, ms. */
  readonly pauseMs: number;
}

export interface Planned {
  readonly fault: Fault;
  /** From which it takes its own random numbers: what one fault uses of them does not change the next. */
  readonly seed: number;
}

/** How often a family has its turn, relative to the others. */
const weights: Readonly<Record<Family, number>> = { process: 4, point: 7, provider: 3, redis: 3, mysql: 3, network: 4, clock: 1, disk: 1, election: 1 };

/** The same episodes in the same order for one seed and one choice of faults. Each fault of a family has its turn before any has a second. */
export class Plan {
  readonly #random: Random;
  readonly #faults: readonly Fault[];
  readonly #decks = new Map<Family, Fault[]>();
  readonly #first: Fault[];

  /**
   * @param first with which the first episodes begin, one each
   * @throws RangeError where there is no fault
   */
  constructor(seed: number, faults: readonly Fault[], first: readonly Fault[] = []) {
    this.#random = new Random(seed);
    this.#faults = faults;
    this.#first = [...first];
    if (new Set(faults.map(({ family }) => family)).size === 0) throw new RangeError('there is no fault to plan');
  }

  next(): Episode {
    const wanted = this.#first.shift();
    const first = wanted?.family ?? this.#family([]);
    const second = this.#family([first]);
    return { first: this.#draw(first, wanted), second: this.#draw(second), offsetMs: this.#random.between(0, 1500), pauseMs: this.#random.between(200, 1200) };
  }

  /** Another than `taken`, where there is another. */
  #family(taken: readonly Family[]): Family {
    const present = [...new Set(this.#faults.map(({ family }) => family))];
    const others = present.filter((family) => !taken.includes(family));
    const choice = others.length > 0 ? others : present;
    let left = this.#random.next() * choice.reduce((sum, family) => sum + weights[family], 0);
    return choice.find((family) => (left -= weights[family]) < 0) ?? choice[choice.length - 1] as Family;
  }

  /** @param wanted rather than the uppermost of the deck */
  #draw(family: Family, wanted?: Fault): Planned {
    let deck = this.#decks.get(family) ?? [];
    if (deck.length === 0) deck = this.#random.shuffled(this.#faults.filter((fault) => fault.family === family));
    const [uppermost] = deck as [Fault, ...Fault[]];
    const fault = wanted ?? uppermost;
    this.#decks.set(family, deck.filter((other) => other !== fault));
    return { fault, seed: this.#random.between(0, 2 ** 31) };
  }
}
