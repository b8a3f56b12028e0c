# A small server on ActiveRecord, for Puma. Its pool is left as it is; its URL may say more.
require "active_record"

ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
run lambda { |request|
  if request["PATH_INFO"] != "/health"
    ActiveRecord::Base.connection_pool.with_connection { |one| one.execute("select count(*) from gate") }
  end
  [200, { "Content-Type" => "text/plain" }, ["done"]]
}
