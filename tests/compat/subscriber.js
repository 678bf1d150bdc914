// One connection of npm's pusher-js. Stdin: lines of JSON {command, ...}; stdout: what it hears.
const readline = require("node:readline")
const Pusher = require("pusher-js")

const tell = (message) => console.log(JSON.stringify(message))
let pusher, authorized, authenticated

const commands = {
  connect({ key, options }) {
    const customHandler = (request, callback) => {
      authorized = callback
      tell({ event: "authorize", data: request })
    }
    const userHandler = (request, callback) => {
      authenticated = callback
      tell({ event: "authenticate", data: request })
    }
    pusher = new Pusher(key, {
      ...options,
      channelAuthorization: { customHandler },
      userAuthentication: { customHandler: userHandler },
    })
    pusher.connection.bind("error", (error) => tell({ event: "error", data: error }))
  },
  authorized({ answer }) {
    authorized(null, answer)
  },
  authenticated({ answer }) {
    authenticated(null, answer)
  },
  signIn() {
    pusher.user.bind_global((event, data) => tell({ event, data }))
    pusher.user.watchlist.bind_global((event, data) => tell({ event, data: data.user_ids }))
    pusher.signin()
  },
  subscribe({ channel }) {
    pusher.subscribe(channel).bind_global((event, data) => tell({ event, channel, data }))
  },
  trigger({ channel, event, data }) {
    pusher.channel(channel).trigger(event, data)
  },
}

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...options } = JSON.parse(line)
    commands[command](options)
  })
  .on("close", () => process.exit())
