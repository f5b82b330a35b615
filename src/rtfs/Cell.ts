import { trusted } from "./Trusted.ts"
import type { FunctionNode } from "./Node.ts"

type Invoke = (...args: ReadonlyArray<any>) => unknown

/**
 * A global of a program: its value, and a way to call it for each number of arguments.
 *
 * Where the value is a function that takes exactly n arguments, `call<n>` is that function, so that generated code
 * calls it without any check; everything else goes through `dispatch`.
 */
export class Cell {
  readonly name: string
  value: unknown = undefined
  call0: Invoke
  call1: Invoke
  call2: Invoke
  call3: Invoke
  call4: Invoke
  /** The functions that the program being analysed defines under this name; undefined where a definition is no function. */
  definitions: Array<FunctionNode | undefined> = []
  /** Whether calling it never gives a promise; settled when a program that uses it has been analysed. */
  synchronous = false
  private readonly dispatch: Invoke

  private readonly missing: (name: string) => Error

  /**
   * @param call calls any value with arguments, during a synchronous attempt
   * @param missing the failure for a global without a value
   */
  constructor(name: string, call: (callee: unknown, args: ReadonlyArray<unknown>) => unknown, missing: (name: string) => Error) {
    this.name = name
    this.missing = missing
    this.dispatch = (...args: ReadonlyArray<unknown>) => call(this.get(), args)
    this.call0 = this.call1 = this.call2 = this.call3 = this.call4 = this.dispatch
  }

  get bound(): boolean {
    return this.value !== undefined
  }

  /** The value. **Fails** with `:undefined-symbol` while there is none. */
  get(): unknown {
    if (this.value === undefined) throw this.missing(this.name)
    return this.value
  }

  /** Lets calls of the present value go to another function that does the same. */
  use(present: unknown, instead: Invoke): void {
    if (this.value !== present) return
    for (const call of ["call0", "call1", "call2", "call3", "call4"] as const) if (this[call] === present) this[call] = instead
  }

  set(value: unknown): unknown {
    const known = value === undefined ? null : value
    this.value = known
    const about = trusted(known)
    const direct = (count: number): Invoke =>
      about !== undefined && about.minimum === count && about.maximum === count ? (known as Invoke) : this.dispatch
    this.call0 = direct(0)
    this.call1 = direct(1)
    this.call2 = direct(2)
    this.call3 = direct(3)
    this.call4 = direct(4)
    return known
  }
}
