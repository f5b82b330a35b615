/** What a program would do, as plain data: its pipelines, where they cut, what they hold and what they touch. */
export interface Explanation {
  readonly pipelines: ReadonlyArray<ExplainedPipeline>
  readonly effects: ReadonlyArray<ExplainedEffect>
  /** Where the dry run had to stop, if it did: the program needs the result of something that only a real run gives. */
  readonly stoppedAt?: string
  /** The most that all pipelines together hold in mailboxes. */
  readonly mailboxBytes: number
  /** The same of the states of nodes, as far as they are bounded in bytes. */
  readonly stateBytes: number
  /** Nodes that may hold any amount; with the host's option `bounded` a program that has one is refused. */
  readonly unbounded: ReadonlyArray<UnboundedNode>
}

export interface UnboundedNode {
  readonly pipeline: string
  readonly node: string
  readonly capability: string
  readonly why: string
  /** What to do about it. */
  readonly remedy: string
}

export interface ExplainedPipeline {
  readonly id: string
  /** Of the graph: equal for equal graphs. */
  readonly hash: string
  /** In the order of the data. */
  readonly actors: ReadonlyArray<ExplainedActor>
  readonly boundaries: ReadonlyArray<ExplainedBoundary>
  readonly mailboxBytes: number
  /** Of the states that are bounded in bytes, together. */
  readonly stateBytes: number
  /** The nodes with a state that is bounded otherwise, or not at all. */
  readonly unknownState: ReadonlyArray<string>
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
  /** Ids of the nodes that it takes from. */
  readonly inputs: ReadonlyArray<string>
  /** What the node's state is bounded by. */
  readonly state: string
  /** `none`: it keeps nothing from one item to the next. */
  readonly stateKind: "none" | "bounded" | "time" | "unbounded"
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
  /** The levels at which its senders are paused and go on, and what they count. */
  readonly highWaterMark: number
  readonly lowWaterMark: number
  readonly marksIn: "frames" | "items"
}

export interface ExplainedEffect {
  readonly capability: string
  /** Such as `:fs.read`. */
  readonly effect: string
  /** The path or peer, where the program names it. */
  readonly target?: string
  readonly granted: boolean
}
