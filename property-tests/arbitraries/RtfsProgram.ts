import fc from "fast-check"

/** A row of choices; when it runs out, each further choice is the simplest one, so that shrinking makes small programs. */
class Choices {
  private readonly numbers: ReadonlyArray<number>
  private index = 0
  names = 0

  constructor(numbers: ReadonlyArray<number>) {
    this.numbers = numbers
  }

  pick(count: number): number {
    return (this.numbers[this.index++] ?? 0) % count
  }

  of<A>(items: ReadonlyArray<A>): A {
    return items[this.pick(items.length)]!
  }
}

interface Place {
  readonly names: ReadonlyArray<string>
  readonly functions: ReadonlyArray<string>
  readonly depth: number
}

const leaves = [
  "0",
  "1",
  "nil",
  "true",
  "false",
  "-7",
  "9007199254740991",
  "4503599627370496",
  '"a"',
  '"😀b"',
  ":k",
  ":a",
  "[]",
  "[1 2 3]",
  "{:a 1}",
  "{:a nil :k [2]}"
]

const leaf = (choices: Choices, { names }: Place): string =>
  names.length > 0 && choices.pick(3) > 0 ? choices.of(names) : choices.of(leaves)

type Writer = (choices: Choices, place: Place) => string

const below = (place: Place): Place => ({ ...place, depth: place.depth - 1 })
const withName = (place: Place, ...names: ReadonlyArray<string>): Place => ({
  ...place,
  names: [...place.names, ...names],
  functions: place.functions.filter((name) => !names.includes(name))
})
const fresh = (choices: Choices): string => (choices.pick(4) === 0 ? choices.of(["count", "x", "map", "value"]) : `n${choices.names++}`)

const expression: Writer = (choices, place) => {
  if (place.depth <= 0) return leaf(choices, place)
  const inner = below(place)
  return choices.of<Writer>(writers)(choices, inner)
}

const two =
  (head: string): Writer =>
  (choices, place) =>
    `(${head} ${expression(choices, place)} ${expression(choices, place)})`

const lambda =
  (count: number): Writer =>
  (choices, place) => {
    const names = Array.from({ length: count }, () => fresh(choices))
    // One name twice is legal and means the last, which is nothing to test here.
    const unique = names.map((name, index) => (names.indexOf(name) === index ? name : `${name}${index}`))
    return `(fn [${unique.join(" ")}] ${expression(choices, withName(place, ...unique))})`
  }

const callable =
  (count: number): Writer =>
  (choices, place) => {
    const known = place.functions
    const kind = choices.pick(6)
    if (kind === 0 && known.length > 0) return choices.of(known)
    if (kind === 1)
      return count === 1
        ? choices.of(["inc", ":a", "count", "tick", "first"].filter((name) => !place.names.includes(name)))
        : choices.of(["+", "conj", "*"])
    return lambda(count)(choices, place)
  }

const writers: ReadonlyArray<Writer> = [
  leaf,
  leaf,
  two("+"),
  two("-"),
  two("*"),
  two("mod"),
  two("<"),
  two(">="),
  two("="),
  (choices, place) => `(${choices.of(["inc", "dec", "not", "-", ":a", ":k"])} ${expression(choices, place)})`,
  (choices, place) => (place.names.includes("count") ? "1" : `(count ${expression(choices, place)})`),
  (choices, place) => `(if ${expression(choices, place)} ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `(cond ${expression(choices, place)} ${expression(choices, place)} :else ${expression(choices, place)})`,
  (choices, place) =>
    `(${choices.of(["and", "or"])} ${expression(choices, place)} ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => {
    const name = fresh(choices)
    return `(let [${name} ${expression(choices, place)}] ${expression(choices, withName(place, name))})`
  },
  (choices, place) => {
    const [a, b] = [`p${choices.names++}`, `q${choices.names++}`]
    return `(let [[${a} ${b}] ${expression(choices, place)}] ${expression(choices, withName(place, a, b))})`
  },
  (choices, place) => {
    const name = fresh(choices)
    const keyed = choices.of(["a", "k"])
    return `(let [{:keys [${keyed}]} ${expression(choices, place)} ${name} ${keyed}] ${expression(choices, withName(place, name, keyed))})`
  },
  (choices, place) => `(${callable(1)(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `(${callable(2)(choices, place)} ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `[${Array.from({ length: choices.pick(3) }, () => expression(choices, place)).join(" ")}]`,
  (choices, place) => `{:a ${expression(choices, place)} :k ${expression(choices, place)}}`,
  (choices, place) =>
    `(${choices.of(["filter", "map"].filter((name) => !place.names.includes(name)))} ${callable(1)(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `(reduce ${callable(2)(choices, place)} ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `(conj ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => `(assoc ${expression(choices, place)} ${choices.of([":a", ":b", "0"])} ${expression(choices, place)})`,
  (choices, place) => `(get ${expression(choices, place)} ${choices.of([":a", ":k", "0", "1"])} ${expression(choices, place)})`,
  (choices, place) => {
    const [index, acc] = [`i${choices.names++}`, fresh(choices)]
    const turn = expression(choices, withName(place, index, acc))
    return `(loop [${index} 0 ${acc} ${expression(choices, place)}] (if (< ${index} ${choices.pick(4)}) (recur (inc ${index}) ${turn}) ${acc}))`
  },
  (choices, place) => {
    // A loop that collects, and perhaps looks at what it has so far.
    const [index, acc] = [`i${choices.names++}`, `a${choices.names++}`]
    const inner = withName(place, index, acc)
    const change = choices.of([
      (item: string) => `(conj ${acc} ${item})`,
      (item: string) => `(assoc ${acc} :b ${item})`,
      (item: string) => `(if (< ${index} 1) ${acc} (conj ${acc} ${item}))`
    ])
    return `(loop [${index} 0 ${acc} ${choices.of(["[]", "{}", expression(choices, place)])}] (if (< ${index} 3) (recur (inc ${index}) ${change(expression(choices, inner))}) ${expression(choices, inner)}))`
  },
  (choices, place) => {
    // Closures made in the turns of a loop, called afterwards.
    const index = `i${choices.names++}`
    return `(for [f (loop [${index} 0 fs []] (if (< ${index} 3) (recur (inc ${index}) (conj fs (fn [] ${expression(choices, withName(place, index))}))) fs))] (f))`
  },
  (choices, place) => {
    const name = fresh(choices)
    return `(for [${name} ${expression(choices, place)}] ${expression(choices, withName(place, name))})`
  },
  (choices, place) => {
    const name = fresh(choices)
    return `(try ${expression(choices, place)} (catch ${name} ${expression(choices, withName(place, name))})${choices.pick(2) === 0 ? "" : ` (finally ${expression(choices, place)})`})`
  },
  (choices, place) => `(throw ${expression(choices, place)})`,
  (choices, place) => `(${choices.of(["tick", "tick", "tick", "refuse"])} ${expression(choices, place)})`,
  (choices, place) => `(do ${expression(choices, place)} ${expression(choices, place)})`,
  (choices, place) => {
    const [a, b] = [`m${choices.names++}`, `m${choices.names++}`]
    return `(match ${expression(choices, place)} 1 ${expression(choices, place)} [${a} ${b}] ${expression(choices, withName(place, a, b))} {:a ${a}} ${expression(choices, withName(place, a))} ${a} ${expression(choices, withName(place, a))})`
  },
  (choices, place) => {
    const name = `f${choices.names++}`
    const parameter = fresh(choices)
    const inner = withName(place, parameter)
    return `(let [${name} ${`(fn [${parameter}] ${expression(choices, inner)})`}] ${expression(choices, { ...place, functions: [...place.functions, name] })})`
  }
]

const program = (numbers: ReadonlyArray<number>): string => {
  const choices = new Choices(numbers)
  const functions: Array<string> = []
  const definitions: Array<string> = []
  for (let count = choices.pick(3); count > 0; count--) {
    const name = `g${choices.names++}`
    definitions.push(`(defn ${name} [x] ${expression(choices, { names: ["x"], functions, depth: 3 })})`)
    functions.push(name)
  }
  return [...definitions, expression(choices, { names: [], functions, depth: 5 })].join("\n")
}

/** A well-scoped program of the part of RTFS that `RtfsModel` knows. It always ends. */
export const rtfsProgram: fc.Arbitrary<string> = fc.array(fc.nat(9999), { maxLength: 150, size: "max" }).map(program)
