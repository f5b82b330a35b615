/** A quoted symbol as a value: what `'handler` evaluates to. Two symbols of one name are equal. */
export class RtfsSymbol {
  readonly name: string

  constructor(name: string) {
    this.name = name
    Object.freeze(this)
  }

  toString(): string {
    return this.name
  }

  toJSON(): string {
    return this.name
  }
}
