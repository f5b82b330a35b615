/**
 * Which children restart when one of them has to, as in OTP: only the one that ended, all of them, or it and those
 * that were started after it.
 */
export type RestartStrategy = "one-for-one" | "one-for-all" | "rest-for-one"

export const restartStrategies = ["one-for-one", "one-for-all", "rest-for-one"] as const

/**
 * The children that restart together with `culprit`.
 *
 * @param children all children in start order
 * @returns a part of `children`, still in start order, and always with `culprit`
 */
export const restartedTogether = <Child>(
  strategy: RestartStrategy,
  children: ReadonlyArray<Child>,
  culprit: Child
): ReadonlyArray<Child> => {
  switch (strategy) {
    case "one-for-one":
      return [culprit]
    case "one-for-all":
      return children
    case "rest-for-one":
      return children.slice(children.indexOf(culprit))
  }
}
