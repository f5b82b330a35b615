/** A schema, or a type expression, that can't be read. */
export class InvalidSchema extends Error {
  readonly type = "invalid-argument"
  /** What is wrong, without the place. */
  readonly problem: string
  /** Keys and positions from the schema's root, as a program writes them. */
  readonly path: ReadonlyArray<string>

  constructor(problem: string, path: ReadonlyArray<string>, cause?: unknown) {
    super(path.length === 0 ? problem : `${problem} (in the schema at ${path.join(" ")})`, cause === undefined ? {} : { cause })
    this.name = "InvalidSchema"
    this.problem = problem
    this.path = path
  }
}

/** Makes a part of a check; what is wrong with the part is wrong at this place of the whole. */
export const within = <A>(place: string, make: () => A): A => {
  try {
    return make()
  } catch (error) {
    if (error instanceof InvalidSchema) throw new InvalidSchema(error.problem, [place, ...error.path], error.cause)
    if (error instanceof RangeError) throw error
    throw new InvalidSchema(error instanceof Error ? error.message : String(error), [place], error)
  }
}
