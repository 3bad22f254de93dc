# A receiver in Ruby, with nothing but the standard library: it checks Standard Webhooks signatures by hand, keeps each
# message once, answers before it works, and says when one before it has not come.
#
#     ./waypost endpoints create http://127.0.0.1:9091/        # prints the secret
#     WEBHOOK_SECRET=whsec_… PORT=9091 ruby examples/receiver.rb
#     ./waypost endpoints test http://127.0.0.1:9091/          # it answers, so it becomes active

require "fileutils"
require "json"
require "openssl"
require "socket"

TOLERANCE_S = 300
BODY_BYTES_MAX = 1024 * 1024
LINE_BYTES_MAX = 8192
REASONS = { 204 => "No Content", 400 => "Bad Request", 413 => "Content Too Large" }.freeze
# Two while a secret is rotated, with a blank between.
SECRETS = ENV.fetch("WEBHOOK_SECRET", "").split.map { |secret| secret.delete_prefix("whsec_").unpack1("m") }
INBOX = ENV.fetch("INBOX", "inbox")
WORK = Queue.new

# What is wrong with the message; nil when it is genuine.
def verify(headers, body)
  id = headers["webhook-id"].to_s
  timestamp = headers["webhook-timestamp"].to_s
  # The id becomes the name of a file.
  unless id.match?(/\A[A-Za-z0-9_-]{1,64}\z/) && timestamp.match?(/\A\d+\z/)
    return "webhook-id or webhook-timestamp is missing"
  end

  signed = "#{id}.#{timestamp}.".b + body
  wanted = SECRETS.map { |secret| "v1,#{[OpenSSL::HMAC.digest("SHA256", secret, signed)].pack("m0")}" }
  given = headers["webhook-signature"].to_s.split
  # The comparison takes the same time wherever two signatures differ.
  genuine = given.product(wanted).any? do |one, other|
    one.bytesize == other.bytesize && OpenSSL.fixed_length_secure_compare(one, other)
  end
  return "no signature matches: another secret, or a changed body" unless genuine

  "the message is too old, or this clock is wrong" if (Time.now.to_i - timestamp.to_i).abs > TOLERANCE_S
end

# Whether it is new. It is on disk when this returns, whole and once: a link to a name that is taken fails.
def store(id, body)
  fresh = File.join(INBOX, "new-#{Thread.current.object_id}")
  File.open(fresh, "wb") do |file|
    file.write(body)
    file.fsync
  end
  File.link(fresh, File.join(INBOX, "#{id}.json"))
  true
rescue Errno::EEXIST
  false
ensure
  FileUtils.rm_f(fresh)
end

# Every message names the one before it that was owed to this endpoint, whatever the endpoint filters.
def check_previous(headers)
  sequence, previous = headers.values_at("waypost-sequence", "waypost-previous").map(&:to_s)
  # A test is in no log.
  return unless sequence.match?(/\A\d+\z/)

  FileUtils.touch(File.join(INBOX, "sequence-#{sequence}"))
  return if !previous.match?(/\A\d+\z/) || File.exist?(File.join(INBOX, "sequence-#{previous}"))

  # It may be on its way: jobs are sent side by side. If it stays away, GET /v1/events?endpoint_id=&after= has it.
  warn "receiver: #{previous}, which comes before #{sequence}, is not here yet"
end

def receive(headers, body)
  wrong = verify(headers, body)
  return [400, wrong] unless wrong.nil?

  # A repeat is answered like the first: it has arrived.
  id = headers["webhook-id"]
  WORK << id if store(id, body)
  check_previous(headers)
  [204, ""]
end

def answer(socket, status, text)
  length = status == 204 ? "" : "content-length: #{text.bytesize}\r\n"
  socket.write("HTTP/1.1 #{status} #{REASONS.fetch(status)}\r\n#{length}\r\n#{text}")
end

# One connection, request after request.
def serve(socket)
  while socket.gets("\r\n", LINE_BYTES_MAX)
    headers = {}
    while (line = socket.gets("\r\n", LINE_BYTES_MAX)) && line != "\r\n"
      name, value = line.split(":", 2)
      headers[name.downcase] = value.to_s.strip
    end
    length = headers["content-length"].to_i
    return answer(socket, 413, "too large") if length > BODY_BYTES_MAX

    answer(socket, *receive(headers, socket.read(length)))
  end
rescue SystemCallError, IOError
  # The other side went away.
ensure
  socket.close
end

# What takes time happens here, after the answer. Types that are not known are ignored.
def work_off
  loop do
    path = File.join(INBOX, "#{WORK.pop}.json")
    event = JSON.parse(File.read(path, encoding: "UTF-8"))
    if event["type"].start_with?("job.")
      job = event["data"]["job"]
      puts "#{event["sequence"]} #{job["reference"]} #{job["status"]} #{event["topics"].join(", ")}"
    end
    FileUtils.touch("#{path}.done")
  end
end

abort "receiver: WEBHOOK_SECRET is not set: ./waypost endpoints create http://127.0.0.1:9091/ prints one" if SECRETS.empty?

$stdout.sync = true
Thread.abort_on_exception = true
FileUtils.mkdir_p(INBOX)
# What was stored and not worked off when it was killed.
left = Dir.glob(File.join(INBOX, "*.json")).reject { |path| File.exist?("#{path}.done") }
left.each { |path| WORK << File.basename(path, ".json") }
Thread.new { work_off }
port = Integer(ENV.fetch("PORT", "9091"))
begin
  server = TCPServer.new("127.0.0.1", port)
rescue SystemCallError => error
  abort "receiver: port #{port} cannot be had (#{error.message}): set PORT to another one"
end
puts "Listening on http://127.0.0.1:#{port}/"
loop { Thread.new(server.accept) { |socket| serve(socket) } }
