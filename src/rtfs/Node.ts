import type { Cell } from "./Cell.ts"
import type { RtfsError } from "./errors.ts"
import type { Form } from "./Form.ts"
import type { Builtin } from "./library/Builtin.ts"
import type { Position } from "./Position.ts"

/** A local variable. */
export interface Binding {
  readonly id: number
  readonly name: string
  readonly owner: FunctionNode
  /** Whether an inner function uses it. */
  captured: boolean
  /** Whether it gets a new value in each turn of a loop of its owner, so that captured values need a variable each turn. */
  inLoop: boolean
  /** Whether it is a vector or map that only its loop sees, so that it may be changed in place. */
  owned: boolean
  /** The function it is bound to, where that is known. */
  readonly known: FunctionNode | undefined
}

/** A function of the program (or one of its top-level forms, as a function without parameters). */
export interface FunctionNode {
  readonly name: string
  readonly at: Position
  /** The `(fn …)` form, expanded; what `origin.source` prints. */
  readonly form: Form
  readonly parameters: Array<Binding>
  rest: Binding | undefined
  body: Node
  /** Whether `recur` goes back to its start. */
  recurs: boolean
  /** Variables of enclosing functions that it uses, in order of first use. */
  readonly captures: Array<Binding>
  readonly cells: Set<Cell>
  /** Whether it asks the host or calls what is not known at compile time. */
  blocked: boolean
  /** Whether it asks the host itself, outside of inner functions. */
  asksHost: boolean
  readonly dependsOn: Set<FunctionNode | Cell>
  /** Never gives a promise. Settled after the analysis of the whole text. */
  synchronous: boolean
  /** How much a call of it adds to the depth of calls: 0 where it calls nothing, 2 where library functions call for it. */
  weight: 0 | 1 | 2
}

export type Node =
  | { readonly op: "constant"; readonly value: unknown }
  | { readonly op: "local"; readonly binding: Binding }
  | { readonly op: "global"; readonly cell: Cell; readonly at: Position }
  | { readonly op: "builtin"; readonly builtin: Builtin }
  | { readonly op: "cond"; readonly clauses: ReadonlyArray<{ readonly test: Node; readonly body: Node }>; readonly otherwise: Node }
  | { readonly op: "and" | "or"; readonly items: ReadonlyArray<Node> }
  | { readonly op: "do"; readonly items: ReadonlyArray<Node> }
  | { readonly op: "let"; readonly bindings: ReadonlyArray<LetBinding>; readonly body: Node; readonly recursive: boolean }
  | LoopNode
  | { readonly op: "recur"; readonly target: LoopNode | FunctionNode; readonly values: ReadonlyArray<Node> }
  | { readonly op: "function"; readonly node: FunctionNode }
  | { readonly op: "call"; readonly callee: Node; readonly items: ReadonlyArray<Node>; readonly at: Position }
  | {
      readonly op: "builtin-call"
      readonly builtin: Builtin
      readonly items: ReadonlyArray<Node>
      readonly at: Position
      readonly synchronous: () => boolean
    }
  /** A function of the runtime that is no library function; see `generate/support.ts`. */
  | { readonly op: "support"; readonly name: string; readonly items: ReadonlyArray<Node>; readonly at: Position }
  | { readonly op: "vector"; readonly items: ReadonlyArray<Node> }
  | { readonly op: "map"; readonly keys: ReadonlyArray<unknown>; readonly items: ReadonlyArray<Node> }
  | { readonly op: "lookup"; readonly key: string; readonly map: Node; readonly otherwise: Node | undefined; readonly at: Position }
  | TryNode
  | MatchNode
  | { readonly op: "each"; readonly binding: Binding; readonly collection: Node; readonly body: Node; readonly at: Position }
  | { readonly op: "define"; readonly cell: Cell; readonly value: Node }
  | { readonly op: "host-call"; readonly id: Node; readonly items: ReadonlyArray<Node>; readonly at: Position }
  | { readonly op: "reference"; readonly name: string; readonly at: Position }
  | { readonly op: "step"; readonly name: Node; readonly body: Node; readonly at: Position }
  | { readonly op: "hints"; readonly hints: Node; readonly body: Node; readonly at: Position }
  | { readonly op: "fail"; readonly error: () => RtfsError; readonly at: Position }

export interface LetBinding {
  readonly binding: Binding
  readonly value: Node
}

export interface LoopNode {
  readonly op: "loop"
  readonly at: Position
  readonly bindings: ReadonlyArray<LetBinding>
  body: Node
}

export interface TryNode {
  readonly op: "try"
  readonly body: Node
  readonly catches: ReadonlyArray<{ readonly selector: CatchSelector; readonly binding: Binding; readonly body: Node }>
  readonly finally: Node | undefined
}

/** Which errors a catch clause takes: all, a class of them, or those whose `:type` is the keyword. */
export type CatchSelector = "all" | "runtime" | "host" | "validation" | { readonly type: string }

export interface MatchNode {
  readonly op: "match"
  readonly subject: LetBinding
  readonly clauses: ReadonlyArray<{ readonly steps: ReadonlyArray<MatchStep>; readonly guard: Node | undefined; readonly body: Node }>
  readonly at: Position
}

/** One step of matching a pattern: a test that must hold, or a variable that gets a part of the subject. */
export type MatchStep = { readonly test: Node } | LetBinding
