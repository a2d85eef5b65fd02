# Evaluates a formula like Homebrew on one platform. Supports the part of Homebrew's DSL that codexlb's formula uses:
#
#   ruby homebrew.rb FORMULA OS ARCH AVX2 RELEASE_DIRECTORY PREFIX
#
# Installs from the release directory below PREFIX, runs the test block, and prints the results as JSON. Words that
# Homebrew does not support are errors.

require "digest"
require "fileutils"
require "json"
require "open3"
require "pathname"
require "tmpdir"

FORMULA, OS, ARCH, AVX2, RELEASE, HOMEBREW_PREFIX = ARGV

class Pathname
  # Accepts a file, or a hash from files to new names.
  def install(*sources)
    mkpath
    sources.each do |source|
      pairs = source.is_a?(Hash) ? source : { source => File.basename(source) }
      pairs.each do |from, name|
        raise "#{from} is missing" unless File.file?(from)

        FileUtils.mv(from, self / name)
      end
    end
  end
end

module Hardware
  module CPU
    def self.avx2?
      AVX2 == "true"
    end
  end
end

class Livecheck
  attr_reader :seen

  def initialize(&block)
    @seen = {}
    instance_eval(&block)
  end

  def url(value)
    raise "unknown livecheck URL" unless %i[homepage stable head].include?(value)

    @seen[:url] = value
  end

  def strategy(name)
    @seen[:strategy] = name
  end
end

class Service
  KEEP_ALIVE = %i[always successful_exit crashed path].freeze
  attr_reader :seen

  def initialize(formula, &block)
    @formula = formula
    @seen = {}
    instance_eval(&block)
  end

  %i[opt_bin var].each { |name| define_method(name) { @formula.public_send(name) } }

  def std_service_path_env
    "#{HOMEBREW_PREFIX}/bin:/usr/bin:/bin"
  end

  def run(command)
    @seen[:run] = command.map(&:to_s)
  end

  def keep_alive(value)
    raise TypeError, "keep_alive" unless [true, false].include?(value) || (value.keys - KEEP_ALIVE).empty?

    @seen[:keep_alive] = value
  end

  def environment_variables(values)
    @seen[:environment] = values.transform_values(&:to_s)
  end

  def log_path(path)
    @seen[:log] = path.to_s
  end

  def error_log_path(path)
    @seen[:error_log] = path.to_s
  end
end

class Formula
  FIELDS = %i[desc homepage version license url sha256].freeze

  class << self
    attr_reader :fields, :service_block, :test_block, :livecheck_seen

    def inherited(formula)
      super
      formula.instance_variable_set(:@fields, {})
    end

    FIELDS.each do |name|
      define_method(name) do |value|
        raise "#{name} is set twice" if fields.key?(name)

        fields[name] = value
      end
    end

    def on_macos
      yield if OS == "macos"
    end

    def on_linux
      yield if OS == "linux"
    end

    def on_arm
      yield if ARCH == "arm"
    end

    def on_intel
      yield if ARCH == "intel"
    end

    def livecheck(&block)
      @livecheck_seen = Livecheck.new(&block).seen
    end

    def service(&block)
      @service_block = block
    end

    def test(&block)
      @test_block = block
    end
  end

  def fields
    self.class.fields
  end

  def version
    fields.fetch(:version)
  end

  def prefix
    Pathname(HOMEBREW_PREFIX) / "Cellar/codexlb" / version
  end

  def bin
    prefix / "bin"
  end

  def opt_bin
    Pathname(HOMEBREW_PREFIX) / "opt/codexlb/bin"
  end

  def var
    Pathname(HOMEBREW_PREFIX) / "var"
  end

  def man1
    prefix / "share/man/man1"
  end

  def bash_completion
    prefix / "etc/bash_completion.d"
  end

  def zsh_completion
    prefix / "share/zsh/site-functions"
  end

  def fish_completion
    prefix / "share/fish/vendor_completions.d"
  end

  # Reads the file of the URL from the release directory.
  def stage
    archive = File.join(RELEASE, File.basename(fields.fetch(:url)))
    found = Digest::SHA256.file(archive).hexdigest
    raise "#{archive} has the SHA-256 #{found}" unless found == fields.fetch(:sha256)

    Dir.mktmpdir do |directory|
      system("tar", "-xzf", archive, "-C", directory, exception: true)
      # Like Homebrew, change to the only directory of the archive.
      Dir.chdir(Dir.children(directory).then { |names| File.join(directory, names.fetch(0)) }) { install }
    end
  end

  def shell_output(command, expected = 0)
    output, status = Open3.capture2(command)
    raise "#{command} exited with #{status.exitstatus}" unless status.exitstatus == expected

    @outputs = (@outputs || []) << output
    output
  end

  def assert_match(expected, actual)
    raise "#{actual.inspect} does not contain #{expected.inspect}" unless actual.match?(Regexp.escape(expected))

    @assertions = (@assertions || 0) + 1
  end

  def run_test
    Dir.mktmpdir do |home|
      ENV["HOME"] = home
      instance_eval(&self.class.test_block)
    end
    @assertions
  end
end

load FORMULA
formula = Codexlb.new
formula.stage
installed = formula.prefix.glob("**/*").select(&:file?).map { |path| path.relative_path_from(formula.prefix).to_s }
puts JSON.generate(
  fields: formula.fields,
  installed: installed.sort,
  executable: (formula.bin / "codexlb").executable?,
  assertions: formula.run_test,
  service: Service.new(formula, &Codexlb.service_block).seen,
  livecheck: Codexlb.livecheck_seen,
)
