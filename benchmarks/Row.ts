/** One line of the benchmark table. */
export interface Row {
  readonly name: string
  /** Ours against the peer, or against the limit, in one run: 1 is equal, more is better. The median of the rounds. */
  readonly ratio: number
  readonly worst?: number
  /** The least `ratio` that is promised; left out for what only informs. */
  readonly target?: number
  /** What the ratio is over: `× readline`. */
  readonly unit: string
}
