import { changesInPlace, isSynchronousCallee } from "../analyze/index.ts"
import type { SiteCompiler } from "../Closure.ts"
import { childrenOf } from "../childrenOf.ts"
import { isPlainKey } from "../maps.ts"
import type { Binding, FunctionNode, Node } from "../Node.ts"
import type { Position } from "../Position.ts"
import { isBare } from "./bare.ts"
import { inlineBuiltin, isBooleanBuiltin } from "./inline.ts"
import type { Module } from "./Module.ts"
import { siteOf } from "./sites.ts"
import type { Support } from "./support.ts"

/** A node that has been evaluated already, or text that is ours. Occurs during generation only. */
export interface RawNode {
  readonly op: "raw"
  readonly code: string
}
export type Part = Node | RawNode

/** A `cond` of so many clauses is no expression, and as a statement has no nested else branches. */
export const longCond = 50

/**
 * Writes nodes that JavaScript can say in one expression.
 *
 * The synchronous form notes its place before each step that may fail; the asynchronous form awaits what may be a promise,
 * and hands the log (`g`) on.
 */
export abstract class ExpressionEmitter {
  readonly module: Module
  readonly asynchronous: boolean
  protected readonly node: FunctionNode
  protected readonly compiler: SiteCompiler
  /**
   * A bare function has no `try` of its own, and is not charged: it calls nothing, and all that it does stands in its text,
   * with the runtime as a way out where a guard fails.
   */
  protected readonly bare: boolean
  protected readonly declared: Array<string> = []
  protected mayFail = false
  private readonly expressions = new Map<Node, boolean>()
  private readonly captureNames = new Map<FunctionNode, string>()
  private temporaries = 0

  constructor(module: Module, node: FunctionNode, asynchronous: boolean, compiler: SiteCompiler) {
    this.module = module
    this.node = node
    this.asynchronous = asynchronous
    this.compiler = compiler
    this.bare = !asynchronous && isBare(node)
  }

  /** The text of a function inside this one. */
  protected abstract inner(node: FunctionNode): string

  // Names.

  variable(binding: Binding): string {
    return this.module.variable(binding)
  }

  protected loopVariable(binding: Binding): string {
    return `${this.variable(binding)}l`
  }

  temporary(): string {
    const name = `t${++this.temporaries}`
    this.declared.push(name)
    return name
  }

  support(name: keyof Support): string {
    return this.module.support(name)
  }

  /**
   * A call into the runtime that may fail. In a bare function the runtime notes the place if it does; otherwise the
   * function itself knows it by `s`.
   */
  step(position: Position, callee: string, args: ReadonlyArray<string>): string {
    if (!this.bare) return `(${this.at(position)}${callee}(${args.join(",")}))`
    const { engineName, placesName } = this.module
    return `${this.support("guarded")}(${[engineName, placesName, this.module.place(position, this.node.name), callee, ...args].join(",")})`
  }

  /** Notes the place, as the first part of a comma expression. */
  protected at(position: Position): string {
    this.mayFail = true
    return `s=${this.module.place(position, this.node.name)},`
  }

  // Expressions.

  /** Whether a node can be written as one expression. */
  protected isExpression(node: Part): boolean {
    if (node.op === "raw") return true
    let known = this.expressions.get(node)
    if (known === undefined) {
      known = this.decideExpression(node)
      this.expressions.set(node, known)
    }
    return known
  }

  private decideExpression(node: Node): boolean {
    switch (node.op) {
      case "loop":
      case "recur":
      case "try":
      case "match":
      case "each":
      case "step":
      case "hints":
        return false
      case "let":
        return (
          node.bindings.every(({ binding, value }) => !(binding.captured && binding.inLoop) && this.isExpression(value))
          && this.isExpression(node.body)
        )
      case "cond":
        return (
          node.clauses.length < longCond
          && node.clauses.every(({ test, body }) => this.isExpression(test) && this.isExpression(body))
          && this.isExpression(node.otherwise)
        )
      default:
        return childrenOf(node).every((child) => this.isExpression(child))
    }
  }

  /** The text of an expression node. Its value is never `undefined`. */
  expression(node: Part): string {
    switch (node.op) {
      case "raw":
        return node.code
      case "constant":
        return this.module.constant(node.value)
      case "local":
        return this.variable(node.binding)
      case "global":
        return `(${this.at(node.at)}${this.module.constant(node.cell)}.get())`
      case "builtin":
        return this.module.constant(this.module.engine.native(node.builtin))
      case "cond":
        return `(${node.clauses.map(({ test, body }) => `${this.test(test)}?${this.expression(body)}:`).join("")}${this.expression(node.otherwise)})`
      case "and":
      case "or":
        return this.logic(node.op, node.items)
      case "do":
        return node.items.length === 0 ? "null" : `(${node.items.map((item) => this.expression(item)).join(",")})`
      case "let":
        return this.letExpression(node)
      case "function":
        return this.functionValue(node.node, undefined)
      case "call":
        return this.call(node.callee, node.items, node.at)
      case "builtin-call":
        return this.builtinCall(node)
      case "support":
        return this.supportCall(node.name as keyof Support, node.items, node.at)
      case "vector":
        return `[${node.items.map((item) => this.expression(item)).join(",")}]`
      case "map":
        return this.mapLiteral(node.keys, node.items)
      case "lookup":
        return this.lookup(node.key, node.map, node.otherwise, node.at)
      case "define":
        return `${this.module.constant(node.cell)}.set(${this.expression(node.value)})`
      case "host-call":
        return this.hostCall(node.id, node.items, node.at)
      case "reference": {
        const call = `${this.module.engineName}.reference(${this.asynchronous ? "g" : "null"},${JSON.stringify(node.name)})`
        return this.asynchronous ? this.awaited(`(${this.at(node.at)}${call})`) : `(${this.at(node.at)}${call})`
      }
      case "fail":
        return `(${this.at(node.at)}${this.support("fail")}(${this.module.constant(node.error)}))`
      default:
        throw new Error(`No expression: ${node.op}`)
    }
  }

  /** Functions of the runtime that are charged take the meter first. */
  supportCall(name: keyof Support, items: ReadonlyArray<Part>, at: Position): string {
    const { first, names } = this.evaluatedFirst(items.map((item) => this.expression(item)))
    const args = metered.has(name) ? [this.module.meterName, ...names] : names
    return `(${first}${this.at(at)}${this.support(name)}(${args.join(",")}))`
  }

  /** An expression that can be written twice, and what to evaluate first; that part is empty or ends in a comma. */
  atom(node: Part): { readonly first: string; readonly code: string } {
    if (
      node.op === "local"
      || (node.op === "constant" && typeof node.value !== "bigint")
      || (node.op === "raw" && /^\w+$/.test(node.code))
    ) {
      return { first: "", code: this.expression(node) }
    }
    const code = this.temporary()
    return { first: `${code}=${this.expression(node)},`, code }
  }

  /** A JavaScript boolean: whether the node's value is neither nil nor false. */
  test(node: Part): string {
    if (this.isBoolean(node)) return this.expression(node)
    if (node.op === "constant") return String(node.value !== null && node.value !== false)
    if (node.op === "and" || node.op === "or") {
      if (node.items.length === 0) return String(node.op === "and")
      return `(${node.items.map((item) => this.test(item)).join(node.op === "and" ? "&&" : "||")})`
    }
    const { first, code } = this.atom(node)
    return `(${first}${code}!=null&&${code}!==false)`
  }

  /** Whether the value is known to be true or false. */
  isBoolean(node: Part): boolean {
    switch (node.op) {
      case "constant":
        return typeof node.value === "boolean"
      case "builtin-call":
        return isBooleanBuiltin(node.builtin.name)
      case "and":
      case "or":
        return node.items.every((item) => this.isBoolean(item))
      case "support":
        return booleanSupport.has(node.name)
      default:
        return false
    }
  }

  private logic(op: "and" | "or", items: ReadonlyArray<Node>): string {
    if (items.length === 0) return String(op === "and")
    if (items.every((item) => this.isBoolean(item)))
      return `(${items.map((item) => this.expression(item)).join(op === "and" ? "&&" : "||")})`
    const last = this.expression(items.at(-1)!)
    return items.slice(0, -1).reduceRight((rest, item) => {
      const { first, code } = this.atom(item)
      return op === "and"
        ? `(${first}${code}==null||${code}===false?${code}:${rest})`
        : `(${first}${code}!=null&&${code}!==false?${code}:${rest})`
    }, last)
  }

  private letExpression(node: Extract<Node, { op: "let" }>): string {
    const parts = node.bindings.map(({ binding, value }) => {
      this.declared.push(this.variable(binding))
      return `${this.variable(binding)}=${this.bound(binding, value)}`
    })
    return `(${[...parts, ...this.tied(node), this.expression(node.body)].join(",")})`
  }

  private bound(binding: Binding, value: Node): string {
    return value.op === "function" ? this.functionValue(value.node, binding) : this.expression(value)
  }

  /** Functions that know each other captured each other before they existed: fills that in. */
  protected tied(node: Extract<Node, { op: "let" }>): Array<string> {
    if (!node.recursive) return []
    const own = new Set(node.bindings.map(({ binding }) => binding))
    return node.bindings.flatMap(({ value }) => {
      if (value.op !== "function") return []
      return value.node.captures.flatMap((capture, index) =>
        own.has(capture) ? [`${this.capturesName(value.node)}[${index}]=${this.variable(capture)}`] : []
      )
    })
  }

  private capturesName(node: FunctionNode): string {
    let name = this.captureNames.get(node)
    if (name === undefined) this.captureNames.set(node, (name = `w${this.captureNames.size}`))
    return name
  }

  protected functionValue(node: FunctionNode, boundTo: Binding | undefined): string {
    const inner = this.inner(node)
    const site = this.module.constant(siteOf(node, this.module.engine, this.compiler))
    const captured = `[${node.captures.map((capture) => this.variable(capture)).join(",")}]`
    if (boundTo === undefined || node.captures.length === 0) return `${this.support("makeFunction")}(${site},${inner},${captured})`
    const name = this.capturesName(node)
    this.declared.push(name)
    return `${this.support("makeFunction")}(${site},${inner},${name}=${captured})`
  }

  // Calls.

  /** Awaits what may be a promise; anything else costs one test. */
  private awaited(code: string): string {
    const name = this.temporary()
    return `((${name}=${code})instanceof Promise?await ${name}:${name})`
  }

  private call(callee: Node, items: ReadonlyArray<Node>, at: Position): string {
    const args = items.map((item) => this.expression(item))
    const synchronous = isSynchronousCallee(callee)
    if (!this.asynchronous || synchronous) {
      if (callee.op === "local" && callee.binding.known !== undefined && fits(callee.binding.known, items.length)) {
        const { first, names } = this.evaluatedFirst(args)
        return `(${first}${this.at(at)}${this.variable(callee.binding)}(${names.join(",")}))`
      }
      if (callee.op === "global" && items.length <= 4) {
        const { first, names } = this.evaluatedFirst(args)
        return `(${first}${this.at(at)}${this.module.constant(callee.cell)}.call${items.length}(${names.join(",")}))`
      }
    }
    const {
      first,
      names: [target, ...row]
    } = this.evaluatedFirst([this.expression(callee), ...args])
    const { engineName } = this.module
    if (!this.asynchronous || synchronous) return `(${first}${this.at(at)}${engineName}.call(${target},[${row.join(",")}]))`
    return this.awaited(`(${first}${this.at(at)}${engineName}.callAsync(g,${target},[${row.join(",")}]))`)
  }

  /**
   * Arguments as names, and what to evaluate before these. A step notes its place after its arguments are evaluated,
   * since they note theirs; arguments that note nothing can stay where they are.
   */
  private evaluatedFirst(args: ReadonlyArray<string>): { readonly first: string; readonly names: ReadonlyArray<string> } {
    if (!args.some((code) => code.includes("s="))) return { first: "", names: args }
    const names = args.map((code) => (/^[\w.]+$/.test(code) ? code : this.temporary()))
    return { first: names.map((name, index) => (name === args[index] ? "" : `${name}=${args[index]},`)).join(""), names }
  }

  private builtinCall(node: Extract<Node, { op: "builtin-call" }>): string {
    if (changesInPlace(node)) {
      const { first, names } = this.evaluatedFirst(node.items.map((item) => this.expression(item)))
      const change = node.builtin.name === "conj" ? "conjInPlace" : "assocInPlace"
      return `(${first}${this.step(node.at, this.support(change), [this.module.meterName, ...names])})`
    }
    const inlined = inlineBuiltin(this, node.builtin.name, node.items, node.at)
    if (inlined !== undefined) return inlined
    const { first, names } = this.evaluatedFirst(node.items.map((item) => this.expression(item)))
    const row = names.join(",")
    if (this.asynchronous && !node.synchronous()) {
      const builtin = this.module.constant(node.builtin)
      return this.awaited(`(${first}${this.at(node.at)}${this.support("runBuiltin")}(${this.module.engineName},g,${builtin},[${row}]))`)
    }
    const call = this.step(node.at, this.module.constant(node.builtin.run), [this.module.engineName, ...names])
    return first === "" ? call : `(${first}${call})`
  }

  private hostCall(id: Node, items: ReadonlyArray<Node>, at: Position): string {
    const {
      first,
      names: [name, ...row]
    } = this.evaluatedFirst([this.expression(id), ...items.map((item) => this.expression(item))])
    const place = this.module.place(at, this.node.name)
    this.mayFail = true
    const { engineName, placesName } = this.module
    const noted = `${first}s=${place},`
    if (!this.asynchronous) return `(${noted}${this.support("hostCall")}(${engineName},${name},[${row.join(",")}],${placesName},${place}))`
    return this.awaited(`(${noted}${this.support("hostCallAsync")}(${engineName},g,${name},[${row.join(",")}],${placesName},${place}))`)
  }

  private mapLiteral(keys: ReadonlyArray<unknown>, items: ReadonlyArray<Node>): string {
    if (keys.length <= 64 && keys.every(isPlainKey)) {
      return `({${keys.map((key, index) => `${JSON.stringify(key)}:${this.expression(items[index]!)}`).join(",")}})`
    }
    const parts = keys.map((key, index) => `${this.module.constant(key)},${this.expression(items[index]!)}`)
    return `${this.support("map")}(${this.module.meterName},[${parts.join(",")}])`
  }

  /** `(:key map)`: own properties of plain maps inline, everything else in the runtime. */
  lookup(key: string, map: Node, otherwise: Node | undefined, at: Position): string {
    const subject = this.atom(map)
    // The default is evaluated whether it is needed or not, as any argument is.
    const rest = otherwise === undefined ? { first: "", code: "null" } : this.atom(otherwise)
    const slow = this.step(at, this.support("lookup"), [JSON.stringify(key), subject.code, rest.code])
    if (!isPlainKey(key) || key in Object.prototype || map.op === "constant") return `(${subject.first}${rest.first}${slow})`
    const found = this.temporary()
    return `(${subject.first}${rest.first}${subject.code}!=null&&${subject.code}.constructor===Object&&(${found}=${subject.code}[${JSON.stringify(key)}])!==undefined?${found}:${slow})`
  }
}

const fits = (node: FunctionNode, count: number): boolean => node.rest === undefined && node.parameters.length === count

const metered = new Set(["sequence", "equal", "push", "partsFrom", "partsWithout", "concatenate", "assoc"])
const booleanSupport = new Set(["equal", "isRow", "isMapping", "hasPart"])
