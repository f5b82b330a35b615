import type { Cell } from "../Cell.ts"
import type { Form } from "../Form.ts"
import type { Binding, FunctionNode, LoopNode } from "../Node.ts"
import type { Position } from "../Position.ts"

let bindings = 0

/** A function under analysis and what encloses it. */
export interface FunctionContext {
  readonly node: FunctionNode
  readonly parent: FunctionContext | undefined
  /** Loops around the code at hand, inside this function. */
  loops: number
  readonly owned: Array<Binding>
}

export const newFunction = (name: string, at: Position, form: Form, parent: FunctionContext | undefined): FunctionContext => ({
  node: {
    name,
    at,
    form,
    parameters: [],
    rest: undefined,
    body: { op: "constant", value: null },
    recurs: false,
    captures: [],
    cells: new Set(),
    blocked: false,
    asksHost: false,
    dependsOn: new Set(),
    synchronous: false,
    weight: 0
  },
  parent,
  loops: 0,
  owned: []
})

/** Where `recur` goes, and how many values it needs. */
export interface TailTarget {
  readonly target: LoopNode | FunctionNode
  readonly count: number
}

/** The names that are visible at a point of the program. */
export class Scope {
  readonly context: FunctionContext
  private readonly parent: Scope | undefined
  private readonly names = new Map<string, Binding>()

  constructor(context: FunctionContext, parent: Scope | undefined) {
    this.context = context
    this.parent = parent
  }

  /** Whether this is the top level of a program, where `def` makes globals. */
  get isTop(): boolean {
    return this.parent === undefined
  }

  inner(): Scope {
    return new Scope(this.context, this)
  }

  /** Makes a variable and, unless it is hidden, its name visible. */
  bind(name: string, known?: FunctionNode, hidden = false): Binding {
    const binding: Binding = {
      id: ++bindings,
      name,
      owner: this.context.node,
      captured: false,
      inLoop: this.context.loops > 0,
      owned: false,
      known
    }
    this.context.owned.push(binding)
    if (!hidden) this.names.set(name, binding)
    return binding
  }

  /** The variable of that name; notes that inner functions capture it. */
  find(name: string): Binding | undefined {
    const binding = this.lookup(name)
    if (binding === undefined) return undefined
    for (
      let context: FunctionContext | undefined = this.context;
      context !== undefined && context.node !== binding.owner;
      context = context.parent
    ) {
      binding.captured = true
      if (!context.node.captures.includes(binding)) context.node.captures.push(binding)
    }
    return binding
  }

  /** Notes a global that this function, and so those around it, refer to. */
  noteGlobal(cell: Cell): void {
    for (let context: FunctionContext | undefined = this.context; context !== undefined; context = context.parent)
      context.node.cells.add(cell)
  }

  private lookup(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.lookup(name)
  }

  has(name: string): boolean {
    return this.names.has(name) || (this.parent?.has(name) ?? false)
  }

  /** All local names, for "did you mean". */
  visible(): Array<string> {
    return [...this.names.keys(), ...(this.parent?.visible() ?? [])]
  }
}
