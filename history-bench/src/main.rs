//! `femtosnitch-history-bench`: makes months of realistic history and measures what it costs.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks there")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use femtosnitch_history_bench::ask;
use femtosnitch_history_bench::ask::Messenger;
use femtosnitch_history_bench::ask::Rounds;
use femtosnitch_history_bench::bench;
use femtosnitch_history_bench::bench::Plan;
use femtosnitch_history_bench::census::Census;
use femtosnitch_history_bench::evidence;
use femtosnitch_history_bench::generator::Generator;
use femtosnitch_history_bench::generator::Shape;
use femtosnitch_history_bench::load::Files;
use femtosnitch_history_bench::questions::Question;
use femtosnitch_history_bench::report;

/// Makes months of realistic history, and measures what writing, asking and forgetting it costs.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures everything
    Run(Run),
    /// Writes the databases and measures nothing
    Load(Load),
    /// Measures what tamper evidence costs
    Evidence(Span),
    /// Counts how many different things such a history has
    Census(Span),
    /// Asks one question (`run` starts this by itself, for each)
    #[command(hide = true)]
    Ask(Ask),
}

/// How much history.
#[derive(Debug, Clone, Args)]
struct Span {
    /// Rows in all
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Days
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Seconds from one batch to the next; the daemon writes every 10
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    interval: u32,
    /// Another seed is another machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    span: Span,
    /// Leaves out the database with picosnitch's schema, which takes minutes to write and ask
    #[arg(long)]
    no_reference: bool,
    /// Directory for the databases; those found there are used again if they have the same rows and
    /// tables (remove them when the layout within changed) [default: a temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leaves a temporary directory where it is
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    often: Often,
    /// Asks one question in so many, to see roughly in a fraction of the time
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Rows of a step of retention; the daemon takes 2000
    #[arg(long, default_value_t = 2000)]
    step_rows: usize,
    /// File for all measurements as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Document whose tables between the markers are replaced
    #[arg(long)]
    document: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Load {
    #[command(flatten)]
    span: Span,
    /// Leaves out the database with picosnitch's schema
    #[arg(long)]
    no_reference: bool,
    /// Directory for the databases
    #[arg(long)]
    dir: PathBuf,
}

/// How often each question is asked.
#[derive(Debug, Clone, Args)]
struct Often {
    /// Times that count, after one that does not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of one question's rounds after which none begins any more
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

#[derive(Debug, Args)]
struct Ask {
    /// The database
    database: PathBuf,
    /// The question, in JSON
    question: String,
    #[command(flatten)]
    often: Often,
}

impl Span {
    fn shape(&self) -> Shape {
        let batches = self.days.saturating_mul(86_400 / self.interval);
        let month = Shape::month(self.rows, self.days);
        Shape { interval: self.interval.into(), batches, seed: self.seed, ..month }
    }
}

impl Often {
    fn rounds(&self) -> Rounds {
        Rounds { most: self.rounds, patience: Duration::from_secs(self.patience) }
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(&options),
        Command::Load(options) => load(&options),
        Command::Census(span) => {
            census(span.shape());
            Ok(())
        }
        Command::Evidence(span) => measure_evidence(span.shape()),
        Command::Ask(options) => answer(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("femtosnitch-history-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Run) -> Result<()> {
    let mut temporary = None;
    let directory = match &options.dir {
        Some(directory) => directory.clone(),
        None => {
            let mut made = tempfile::tempdir().context("cannot make a temporary directory")?;
            made.disable_cleanup(options.keep);
            temporary.insert(made).path().to_path_buf()
        }
    };
    let program = std::env::current_exe().context("cannot find this program")?;
    let plan = Plan {
        shape: options.span.shape(),
        directory,
        reference: !options.no_reference,
        every: options.every,
        step_rows: options.step_rows,
        messenger: Messenger { program, rounds: options.often.rounds() },
    };
    let begun = Instant::now();
    let results = bench::run(&plan, &|what| {
        eprintln!("{:>6.0} s: {what}", begun.elapsed().as_secs_f64());
    })?;
    let text = report::text(&results);
    println!("{text}");
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&results)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.document {
        report::replace(path, &text)?;
    }
    if options.keep || options.dir.is_some() {
        eprintln!("the databases are in {}", plan.directory.display());
    }
    Ok(())
}

fn load(options: &Load) -> Result<()> {
    std::fs::create_dir_all(&options.dir)
        .with_context(|| format!("cannot create {}", options.dir.display()))?;
    let files = Files::new(&options.dir);
    let (ours, reference) = files.load(options.span.shape(), !options.no_reference)?;
    println!("{} rows in {:.1} s: {}", ours.rows, ours.seconds, files.ours.display());
    if let Some(it) = reference {
        println!("{} rows in {:.1} s: {}", it.rows, it.seconds, files.reference.display());
    }
    Ok(())
}

fn measure_evidence(shape: Shape) -> Result<()> {
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    print!("{}", evidence::measure(directory.path(), shape)?);
    Ok(())
}

fn census(shape: Shape) {
    let mut generator = Generator::new(shape);
    let mut census = Census::default();
    for batch in generator.by_ref() {
        for row in &batch.rows {
            census.count(row);
        }
    }
    println!("{} program runs; {}", generator.runs(), census.table());
}

fn answer(options: &Ask) -> Result<()> {
    let question: Question = serde_json::from_str(&options.question).context("no question")?;
    let measured = ask::here(&options.database, &question, options.often.rounds())?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}
