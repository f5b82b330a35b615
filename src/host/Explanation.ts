/** What a program would do, as plain data: its pipelines, where they cut, what they hold and what they touch. */
export interface Explanation {
  readonly pipelines: ReadonlyArray<ExplainedPipeline>
  readonly effects: ReadonlyArray<ExplainedEffect>
  /** Where the dry run had to stop, if it did: the program needs the result of something that only a real run gives. */
  readonly stoppedAt?: string
  /** The most that all pipelines together hold in mailboxes. */
  readonly mailboxBytes: number
}

export interface ExplainedPipeline {
  readonly id: string
  /** Of the graph: equal for equal graphs. */
  readonly hash: string
  /** In the order of the data. */
  readonly actors: ReadonlyArray<ExplainedActor>
  readonly boundaries: ReadonlyArray<ExplainedBoundary>
  readonly mailboxBytes: number
  readonly supervision: {
    readonly strategy: string
    /** In start order; they stop in the reverse. */
    readonly startOrder: ReadonlyArray<string>
    readonly restarts: string
  }
}

export interface ExplainedActor {
  readonly address: string
  readonly kind: "source" | "processor" | "sink"
  /** Fused into one loop, in this order. */
  readonly nodes: ReadonlyArray<ExplainedNode>
}

export interface ExplainedNode {
  readonly id: string
  readonly capability: string
  /** What the node's state is bounded by. */
  readonly state: string
  readonly stateBytes?: number
  /** What becomes of an item that it fails on: `fail`, or such as `3 retries, then dead letter (queue "failed")`. */
  readonly onFailure: string
  /** What else is worth knowing, such as why a function stays on the host's thread. */
  readonly notes: ReadonlyArray<string>
}

export interface ExplainedBoundary {
  readonly from: string
  readonly to: string
  readonly reason: string
  readonly overflow: string
  readonly maxFrames: number
  readonly maxItems: number
  readonly maxBytes: number
}

export interface ExplainedEffect {
  readonly capability: string
  /** Such as `:fs.read`. */
  readonly effect: string
  /** The path or peer, where the program names it. */
  readonly target?: string
  readonly granted: boolean
}
