// Runs before every npm script. Plain old JavaScript, because its one task is to be understood by a Node that is too old.
var wanted = [22, 19]
var found = process.versions.node.split(".").map(Number)
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    "This needs Node "
      + wanted.join(".")
      + " or newer, but runs on "
      + process.version
      + ".\n"
      + "`npm ci` installs Node 26 into node_modules/.bin, which npm scripts use by themselves. That was left out if\n"
      + "install scripts were not allowed (--ignore-scripts, or npm asking to approve them). To repair it, run:\n"
      + "  npm rebuild node\n"
      + 'Outside of npm scripts, put it first on the path:  export PATH="$PWD/node_modules/.bin:$PATH"'
  )
  process.exit(1)
}
