import type { Binding, FunctionNode, LoopNode, MatchNode, Node, TryNode } from "../Node.ts"
import { childrenOf } from "../childrenOf.ts"
import { ExpressionEmitter, longCond, type Part, type RawNode } from "./ExpressionEmitter.ts"

/** What becomes of the value of a statement. */
type Target =
  | { readonly kind: "return" }
  | { readonly kind: "set"; readonly name: string }
  | { readonly kind: "drop" }
  /** The value goes on to `inner`, then control leaves the labelled statement. */
  | { readonly kind: "leave"; readonly inner: Target; readonly label: string }

interface LoopFrame {
  readonly variables: ReadonlyArray<string>
  readonly label: string
}

/**
 * Writes the JavaScript of one RTFS function: an expression where the program allows it, else statements.
 *
 * The synchronous form charges the meter, counts nested calls and notes its place before each step that may fail;
 * the asynchronous form awaits what gives a promise, and hands the log on.
 */
export class FunctionEmitter extends ExpressionEmitter {
  private readonly lines: Array<string> = []
  private readonly loops = new Map<LoopNode | FunctionNode, LoopFrame>()
  private labels = 0

  /** The function expression. Captured variables, meter, engine and constants are free in it. */
  emit(): string {
    const { node, module } = this
    const parameters = [...node.parameters, ...(node.rest === undefined ? [] : [node.rest])]
    const looping = node.recurs ? this.enterFunctionLoop(parameters) : undefined
    const names = parameters.map((binding) =>
      looping !== undefined && binding.captured ? this.loopVariable(binding) : this.variable(binding)
    )
    if (node.rest !== undefined) names[names.length - 1] = `...${names.at(-1)}`
    if (looping === undefined) this.statement(node.body, { kind: "return" })
    else this.loopBody(node, parameters, node.body, { kind: "return" })
    const cost = this.cost(node.body)
    // The fixed, small price of a bare function is part of what whoever calls it pays.
    const charge = looping !== undefined || this.bare ? "" : `if((${module.meterName}.fuel-=${cost})<0)${module.meterName}.spend();`
    const body = this.lines.join("\n")
    const declarations = this.declared.length === 0 ? "" : `let ${this.declared.join(",")};`
    const unwinding = `catch(x){throw ${this.support("unwind")}(${module.engineName},x,${module.placesName},s)}`
    const tooDeep = `throw ${this.support("tooDeep")}(${module.engineName})`
    if (this.asynchronous) {
      return (
        `async function(${["g", ...names].join(",")}){let s=${this.entry()};${declarations}`
        + `try{if(++g.depth>${module.engineName}.limits.depth)${tooDeep};${charge}\n${body}\n}${unwinding}finally{g.depth--}}`
      )
    }
    if (node.weight > 0) {
      return (
        `function(${names.join(",")}){let s=${this.entry()};${declarations}`
        + `try{if((${module.meterName}.depth+=${node.weight})>${module.meterName}.maximumDepth)${tooDeep};${charge}\n${body}\n}${unwinding}finally{${module.meterName}.depth-=${node.weight}}}`
      )
    }
    if (!this.mayFail) return `function(${names.join(",")}){${declarations}${charge}\n${body}\n}`
    return `function(${names.join(",")}){let s=${this.entry()};${declarations}try{${charge}\n${body}\n}${unwinding}}`
  }

  private entry(): number {
    return this.module.place(this.node.at, this.node.name)
  }

  protected override inner(node: FunctionNode): string {
    return new FunctionEmitter(this.module, node, false, this.compiler).emit()
  }

  private label(): string {
    return `L${++this.labels}`
  }

  // Statements.

  private push(line: string): void {
    this.lines.push(line)
  }

  private finish(target: Target, code: string): void {
    switch (target.kind) {
      case "return":
        return this.push(`return ${code};`)
      case "set":
        return this.push(`${target.name}=${code};`)
      case "drop":
        return this.push(`${code};`)
      case "leave":
        this.finish(target.inner, code)
        if (!leavesAnyway(target.inner)) this.push(`break ${target.label};`)
    }
  }

  private statement(node: Part, target: Target): void {
    if (this.isExpression(node)) return this.finish(target, this.expression(node))
    switch (node.op) {
      case "cond":
        return this.condStatement(node, target)
      case "and":
      case "or":
        return this.logicStatement(node, target)
      case "do":
        node.items.slice(0, -1).forEach((item) => this.statement(item, { kind: "drop" }))
        return this.statement(node.items.at(-1)!, target)
      case "let":
        return this.letStatement(node, target)
      case "loop":
        return this.loopStatement(node, target)
      case "recur":
        return this.recurStatement(node)
      case "try":
        return this.tryStatement(node, target)
      case "match":
        return this.matchStatement(node, target)
      case "each":
        return this.eachStatement(node, target)
      case "step":
        return this.stepStatement(node, target)
      case "hints":
        return this.hintsStatement(node, target)
      default:
        return this.withPartsFirst(node as Node, target)
    }
  }

  /** Evaluates the parts of a node in order into temporaries, then the node as an expression of these. */
  private withPartsFirst(node: Node, target: Target): void {
    const evaluated = new Map<Node, RawNode>()
    for (const child of childrenOf(node)) {
      if (child.op === "constant" || child.op === "local") continue
      evaluated.set(child, { op: "raw", code: this.evaluated(child) })
    }
    this.finish(target, this.expression(replaceChildren(node, (child) => (evaluated.get(child) as unknown as Node | undefined) ?? child)))
  }

  /** Evaluates a node now; gives the name of the temporary that holds the value. */
  private evaluated(node: Part): string {
    const name = this.temporary()
    this.statement(node, { kind: "set", name })
    return name
  }

  /** A test as an expression, after whatever statements it needs. */
  private testStatement(node: Node): string {
    return this.test(this.isExpression(node) ? node : { op: "raw", code: this.evaluated(node) })
  }

  private condStatement(node: Extract<Node, { op: "cond" }>, target: Target): void {
    // JavaScript's parser recurses over else branches: a long row of clauses is written flat, each leaving the whole.
    if (node.clauses.length >= longCond) {
      const label = this.label()
      this.push(`${label}:{`)
      for (const { test, body } of node.clauses) {
        this.push(`if(${this.testStatement(test)}){`)
        this.statement(body, { kind: "leave", inner: target, label })
        this.push("}")
      }
      this.statement(node.otherwise, target)
      return this.push("}")
    }
    let open = 0
    for (const { test, body } of node.clauses) {
      // A test that needs statements goes inside the else branch, so that it runs only when its turn comes.
      this.push(`if(${this.testStatement(test)}){`)
      this.statement(body, target)
      this.push("}else{")
      open++
    }
    this.statement(node.otherwise, target)
    this.push("}".repeat(open))
  }

  private logicStatement(node: Extract<Node, { op: "and" | "or" }>, target: Target): void {
    const name = this.temporary()
    let open = 0
    node.items.forEach((item, index) => {
      this.statement(item, { kind: "set", name })
      if (index === node.items.length - 1) return
      const holds = `${name}!=null&&${name}!==false`
      this.push(node.op === "and" ? `if(${holds}){` : `if(!(${holds})){`)
      open++
    })
    this.push("}".repeat(open))
    this.finish(target, name)
  }

  private letStatement(node: Extract<Node, { op: "let" }>, target: Target): void {
    const scoped = node.bindings.some(({ binding }) => binding.captured && binding.inLoop)
    // Closures made in a turn of a loop keep that turn's values: these variables live in a block of their own.
    if (scoped) {
      this.push("{")
      this.push(`let ${node.bindings.map(({ binding }) => this.variable(binding)).join(",")};`)
    } else for (const { binding } of node.bindings) this.declared.push(this.variable(binding))
    for (const { binding, value } of node.bindings) {
      if (value.op === "function") this.push(`${this.variable(binding)}=${this.functionValue(value.node, binding)};`)
      else this.statement(value, { kind: "set", name: this.variable(binding) })
    }
    for (const line of this.tied(node)) this.push(`${line};`)
    this.statement(node.body, target)
    if (scoped) this.push("}")
  }

  private enterFunctionLoop(parameters: ReadonlyArray<Binding>): LoopFrame {
    const frame = {
      variables: parameters.map((binding) => (binding.captured ? this.loopVariable(binding) : this.variable(binding))),
      label: this.label()
    }
    this.loops.set(this.node, frame)
    return frame
  }

  private loopStatement(node: LoopNode, target: Target): void {
    const bindings = node.bindings.map(({ binding }) => binding)
    const captured = bindings.filter((binding) => binding.captured)
    if (captured.length > 0)
      this.push(`{let ${captured.flatMap((binding) => [this.variable(binding), this.loopVariable(binding)]).join(",")};`)
    for (const { binding, value } of node.bindings) {
      if (!binding.captured) this.declared.push(this.variable(binding))
      if (value.op === "function") this.push(`${this.variable(binding)}=${this.functionValue(value.node, binding)};`)
      else this.statement(value, { kind: "set", name: this.variable(binding) })
      if (binding.owned)
        this.push(
          `${this.at(node.at)}${this.variable(binding)}=${this.support("own")}(${this.module.meterName},${this.variable(binding)});`
        )
      if (binding.captured) this.push(`${this.loopVariable(binding)}=${this.variable(binding)};`)
    }
    this.loops.set(node, {
      variables: bindings.map((binding) => (binding.captured ? this.loopVariable(binding) : this.variable(binding))),
      label: this.label()
    })
    this.loopBody(node, bindings, node.body, target)
    if (captured.length > 0) this.push("}")
  }

  private loopBody(key: LoopNode | FunctionNode, bindings: ReadonlyArray<Binding>, body: Node, target: Target): void {
    const { label } = this.loops.get(key)!
    const { meterName } = this.module
    this.mayFail = true
    this.push(`${label}:for(;;){if((${meterName}.fuel-=${this.cost(body) + 1})<0){s=${this.entry()};${meterName}.spend()}`)
    for (const binding of bindings) if (binding.captured) this.push(`const ${this.variable(binding)}=${this.loopVariable(binding)};`)
    this.statement(body, { kind: "leave", inner: target, label })
    this.push("}")
  }

  private recurStatement(node: Extract<Node, { op: "recur" }>): void {
    const frame = this.loops.get(node.target)!
    // All new values are computed before any variable changes, those that change a collection in place after the others.
    const owned = "op" in node.target ? node.target.bindings.map(({ binding }) => binding.owned) : []
    const values: Array<string | undefined> = []
    for (const last of [false, true])
      node.values.forEach((value, index) => {
        if ((owned[index] ?? false) !== last) return
        values[index] = this.nextValue(value, frame.variables[index]!, node.values.length === 1)
      })
    values.forEach((code, index) => {
      if (code !== undefined) this.push(`${frame.variables[index]}=${code};`)
    })
    this.push(`continue ${frame.label};`)
  }

  /** The text of a next value; undefined where the variable keeps its value. */
  private nextValue(value: Node, variable: string, alone: boolean): string | undefined {
    if (value.op === "constant") return this.expression(value)
    if (value.op === "local" && this.variable(value.binding) === variable) return undefined
    return alone && this.isExpression(value) ? this.expression(value) : this.evaluated(value)
  }

  private tryStatement(node: TryNode, target: Target): void {
    const result = this.temporary()
    const set: Target = { kind: "set", name: result }
    const { module } = this
    this.mayFail = true
    const caught = this.temporary()
    const failed = this.temporary()
    if (node.finally !== undefined) this.push(`${failed}=null;try{`)
    if (node.catches.length > 0) this.push("try{")
    this.statement(node.body, set)
    if (node.catches.length > 0) {
      this.push(`}catch(x){${caught}=${this.support("caught")}(${module.engineName},x,${module.placesName},s);`)
      node.catches.forEach(({ selector, binding, body }, index) => {
        this.push(`${index === 0 ? "" : "else "}if(${this.support("catches")}(${caught},${module.constant(selector)})){`)
        const scoped = binding.captured && binding.inLoop
        if (!scoped) this.declared.push(this.variable(binding))
        this.push(`${scoped ? "const " : ""}${this.variable(binding)}=${this.support("bound")}(${caught});`)
        this.statement(body, set)
        this.push("}")
      })
      this.push(`else throw ${caught};}`)
    }
    if (node.finally !== undefined) {
      // Not JavaScript's finally: an abandoned attempt must not run the body, and its value must not replace the result.
      this.push(
        `}catch(x){if(x===${this.support("needsAsync")})throw x;${failed}=${this.support("unwind")}(${module.engineName},x,${module.placesName},-1);${this.support("beforeFinally")}(${module.meterName},x)}`
      )
      this.statement(node.finally, { kind: "drop" })
      this.push(`if(${failed}!==null){${this.support("afterFinally")}(${module.meterName},${failed});throw ${failed}}`)
    }
    this.finish(target, result)
  }

  private matchStatement(node: MatchNode, target: Target): void {
    const { binding, value } = node.subject
    this.declared.push(this.variable(binding))
    this.statement(value, { kind: "set", name: this.variable(binding) })
    const done = this.label()
    this.push(`${done}:{`)
    for (const { steps, guard, body } of node.clauses) {
      const next = this.label()
      this.push(`${next}:{`)
      for (const step of steps) {
        if ("test" in step) this.push(`if(!${this.testStatement(step.test)})break ${next};`)
        else {
          const scoped = step.binding.captured && step.binding.inLoop
          if (!scoped) this.declared.push(this.variable(step.binding))
          this.push(`${scoped ? "const " : ""}${this.variable(step.binding)}=${this.expression(step.value)};`)
        }
      }
      if (guard !== undefined) this.push(`if(!${this.testStatement(guard)})break ${next};`)
      this.statement(body, { kind: "leave", inner: target, label: done })
      this.push("}")
    }
    this.push(`${this.at(node.at)}${this.support("noMatch")}(${this.variable(binding)});}`)
  }

  private eachStatement(node: Extract<Node, { op: "each" }>, target: Target): void {
    const row = this.evaluated(node.collection)
    const index = `i${++this.labels}`
    const { meterName } = this.module
    this.mayFail = true
    this.push(
      `for(let ${index}=0;${index}<${row}.length;${index}++){if((${meterName}.fuel-=${this.cost(node.body) + 1})<0){s=${this.entry()};${meterName}.spend()}`
    )
    const value = `Array.isArray(${row})?${row}[${index}]??null:${index}`
    this.push(`const ${this.variable(node.binding)}=${value};`)
    this.statement(node.body, { kind: "drop" })
    this.push("}")
    this.finish(target, "null")
  }

  private stepStatement(node: Extract<Node, { op: "step" }>, target: Target): void {
    const name = this.evaluated(node.name)
    const result = this.temporary()
    const tell = (phase: string) =>
      `${this.at(node.at)}${this.module.engineName}.step(${this.asynchronous ? "g" : "null"},${name},"${phase}");`
    this.push(tell("start"))
    this.push("try{")
    this.statement(node.body, { kind: "set", name: result })
    this.push(`}catch(x){if(x!==${this.support("needsAsync")}){${tell("failed")}}throw x}`)
    this.push(tell("end"))
    this.finish(target, result)
  }

  private hintsStatement(node: Extract<Node, { op: "hints" }>, target: Target): void {
    const before = this.temporary()
    const result = this.temporary()
    const log = this.asynchronous ? "g" : "null"
    const hints = this.evaluated(node.hints)
    this.push(`${before}=${this.support("pushHints")}(${log},${hints});try{`)
    this.statement(node.body, { kind: "set", name: result })
    this.push(`}finally{${this.support("popHints")}(${log},${before})}`)
    this.finish(target, result)
  }

  /** The static price of a node: its parts, without the bodies of loops and inner functions, which pay for themselves. */
  cost(node: Node): number {
    if (node.op === "function") return 2
    if (node.op === "loop") return 1 + node.bindings.reduce((sum, { value }) => sum + this.cost(value), 0)
    if (node.op === "each") return 1 + this.cost(node.collection)
    return childrenOf(node).reduce((sum, child) => sum + this.cost(child), 1)
  }
}

const leavesAnyway = (target: Target): boolean => target.kind === "return" || target.kind === "leave"

/** The node with other parts; for the nodes that `withPartsFirst` meets. */
const replaceChildren = (node: Node, replace: (child: Node) => Node): Node => {
  switch (node.op) {
    case "vector":
    case "map":
    case "builtin-call":
    case "support":
      return { ...node, items: node.items.map(replace) }
    case "call":
      return { ...node, callee: replace(node.callee), items: node.items.map(replace) }
    case "host-call":
      return { ...node, id: replace(node.id), items: node.items.map(replace) }
    case "lookup":
      return { ...node, map: replace(node.map), otherwise: node.otherwise === undefined ? undefined : replace(node.otherwise) }
    case "define":
      return { ...node, value: replace(node.value) }
    default:
      return node
  }
}
