import type { NodeSpec } from "../actors/index.ts"
import type { ItemPolicy, NodeTraits } from "../scheduler/index.ts"
import type { StreamValue } from "./StreamValue.ts"

/** A stream inside of a node, which takes what the node gives it: one branch, or what each partition does. */
export interface SubStream {
  readonly name: string
  /** Stands in `stream` for what the node gives. */
  readonly entry: StreamValue
  readonly stream: StreamValue
}

/** How a capability that is several nodes writes itself out. */
export interface GraphParts {
  /** Adds the nodes of a stream. @returns the id of the one that its items leave */
  readonly stream: (value: StreamValue, place?: Place) => string
  /** Adds a node of the capability. @returns its id */
  readonly node: (part: PartNode) => string
  /** A name of its own for a part that may fail alone, for its nodes to be in. */
  readonly part: (name: string) => string
}

/** Where the nodes of a stream stand. */
export interface Place {
  /** The name of the part of the graph that they are, where it may fail alone. */
  readonly part?: string
  /** The node that gives what the entry of a `SubStream` stands for. */
  readonly entry?: { readonly of: SubStream; readonly node: string }
  /** What holds for the edge by which it takes from its entry. */
  readonly entrance?: Pick<NodeTraits, "detaches" | "buffer"> | undefined
  /** No item may be left out here, whatever it is: somebody counts on it. */
  readonly keepsAll?: boolean
}

export interface PartNode {
  /** The last part of its id, behind the capability's own: `gather` makes `parallel-gather`. Left out: the capability itself. */
  readonly name?: string
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: ReadonlyArray<string>
  readonly specs: ReadonlyArray<NodeSpec>
  readonly role: NodeTraits["role"]
  /** Left out: the policy of the call. */
  readonly onFailure?: ItemPolicy
  readonly traits?: Partial<Pick<NodeTraits, "boundary" | "buffer" | "isPassive" | "routes" | "part" | "detaches">>
}

/** The nodes that a capability has written out: the one whose items leave it, or the sinks by name. */
export type Written = string | Readonly<Record<string, string>>
