# ActiveRecord, all from the URL: many queries at once, on a table that the test has locked, and a word on how they ended.
require "active_record"
require "json"

ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
requests = ENV.fetch("REQUESTS", "40").to_i
threads = requests.times.map do
  Thread.new do
    ActiveRecord::Base.connection_pool.with_connection { |one| one.execute("select count(*) from gate") }
    nil
  rescue StandardError => error
    "#{error.class}: #{error.message}"[0, 200]
  end
end
errors = threads.map(&:value).compact
puts JSON.generate(ok: requests - errors.size, failed: errors.size, errors: errors.uniq)
$stdout.flush
sleep
