//! Two buses on one engine: whether their module keeps the contract.

use std::time::{Duration, Instant};

use super::bus::StartedBus;
use super::bus_host::Datagram;
use crate::{Error, Limits, MAX_SUBJECT, Publish};

/// How many datagrams are sent one after the other.
const RUN: usize = 500;

/// How long something that must not come is waited for, after what was sent behind it has come.
const QUIET: Duration = Duration::from_millis(50);

/// How long is waited until what found no room is offered again.
const PAUSE: Duration = Duration::from_millis(5);

impl StartedBus {
    /// Lets this bus and another one, which are on the same engine, tell each other things, and holds
    /// what happens against the contract: that datagrams arrive as they were sent, the smallest and
    /// the largest; that a run of them keeps its order and is confirmed; which patterns fit what; that
    /// nothing comes that is not wanted any more; that a request is told when nobody listens. Both
    /// have to run ([`run_in_background`](Self::run_in_background)); they get patterns that begin with
    /// `exchange`. The engine must lose nothing meanwhile.
    ///
    /// # Errors
    /// The first thing that is not as the contract says; or that it is not so within `limit`, which is for
    /// each step.
    pub fn exchange(&self, other: &StartedBus, limit: Duration) -> Result<(), Error> {
        let (one, two) = (
            End {
                bus: self,
                limits: self.wait_until_up(limit)?,
                limit,
            },
            End {
                bus: other,
                limits: other.wait_until_up(limit)?,
                limit,
            },
        );
        one.meet(&two)?;
        two.meet(&one)?;
        one.carries_what_it_is_given(&two)?;
        one.keeps_the_order(&two)?;
        if two.limits.wildcards {
            one.knows_patterns(&two)?;
        }
        one.stays_silent_when_nobody_wants_it(&two)?;
        if one.limits.no_responders {
            one.is_told_that_nobody_listens()?;
        }
        Ok(())
    }
}

/// One of the two.
struct End<'b> {
    bus: &'b StartedBus,
    limits: Limits,
    limit: Duration,
}

impl End<'_> {
    /// Publishes, again while there is no room. The number that it was given.
    fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Result<u64, Error> {
        let until = Instant::now() + self.limit;
        loop {
            match self.bus.publish(subject, reply, data)? {
                Publish::Accepted(number) => return Ok(number),
                _ if Instant::now() > until => {
                    return Err(format!("{:?} has no room for `{subject}`", self.bus).into());
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// A subscription may take a while to reach the engine: sends until something arrives, and then
    /// until nothing is under way any more.
    fn meet(&self, other: &End<'_>) -> Result<(), Error> {
        let subject = "exchange.meeting";
        other.bus.subscribe(subject, true)?;
        let until = Instant::now() + self.limit;
        loop {
            self.publish(subject, None, b"?")?;
            if other.bus.wait_for(1, PAUSE).is_ok() {
                break;
            }
            if Instant::now() > until {
                return Err(format!("nothing of {:?} reaches {:?}", self.bus, other.bus).into());
            }
        }
        self.publish(subject, None, b"!")?;
        other.until(subject, b"!")?;
        other.bus.subscribe(subject, false)
    }

    /// Everything that comes in until this does, that included.
    fn until(&self, subject: &str, data: &[u8]) -> Result<Vec<Datagram>, Error> {
        let mut all = Vec::new();
        let until = Instant::now() + self.limit;
        let is_it = |datagram: &Datagram| datagram.subject == subject && datagram.data == data;
        while !all.iter().any(is_it) {
            let left = until.saturating_duration_since(Instant::now());
            all.extend(self.bus.wait_for(1, left)?);
        }
        Ok(all)
    }

    /// Subscribes, and waits until the engine knows: what is sent to a pattern that was asked for
    /// before may pass it by.
    fn want(&self, pattern: &str, sender: &End<'_>, subject: &str) -> Result<(), Error> {
        self.bus.subscribe(pattern, true)?;
        let until = Instant::now() + self.limit;
        loop {
            sender.publish(subject, None, b"wanted?")?;
            if self.bus.wait_for(1, PAUSE).is_ok() {
                break;
            }
            if Instant::now() > until {
                let what = format!(
                    "`{subject}` does not reach {:?}, which wants `{pattern}`",
                    self.bus
                );
                return Err(what.into());
            }
        }
        sender.publish(subject, None, b"wanted!")?;
        self.until(subject, b"wanted!").map(drop)
    }

    fn carries_what_it_is_given(&self, other: &End<'_>) -> Result<(), Error> {
        let most = self.limits.max_datagram.min(other.limits.max_datagram);
        let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
        let largest: Vec<u8> = all_bytes.iter().copied().cycle().take(most).collect();
        let long = format!("exchange.{}", "x".repeat(MAX_SUBJECT - "exchange.".len()));
        for subject in ["exchange.A-b_9", &long] {
            other.want(subject, self, subject)?;
            for reply in [None, Some("exchange.re.1"), Some(long.as_str())] {
                for data in [b"".as_slice(), &all_bytes, &largest] {
                    let number = self.publish(subject, reply, data)?;
                    let received = other.bus.wait_for(1, self.limit)?;
                    let expected = Datagram {
                        subject: subject.to_owned(),
                        reply: reply.map(str::to_owned),
                        data: data.to_vec(),
                    };
                    if received != [expected] {
                        let what = format!(
                            "{} bytes to `{subject}`, with the reply {reply:?}, have become {}",
                            data.len(),
                            in_words(&received)
                        );
                        return Err(what.into());
                    }
                    self.bus.wait_until_confirmed(number, self.limit)?;
                }
            }
            other.bus.subscribe(subject, false)?;
        }
        Ok(())
    }

    fn keeps_the_order(&self, other: &End<'_>) -> Result<(), Error> {
        let subject = "exchange.run";
        other.want(subject, self, subject)?;
        let mut last = 0;
        for number in 0..RUN {
            last = self.publish(subject, None, number.to_string().as_bytes())?;
        }
        let received = other.bus.wait_for(RUN, self.limit)?;
        let data: Vec<_> = received.iter().map(|datagram| &datagram.data).collect();
        let expected = (0..RUN).map(|number| number.to_string().into_bytes());
        if !data.iter().copied().eq(expected.collect::<Vec<_>>().iter()) {
            return Err("what was published in a row does not come in that order".into());
        }
        self.bus.wait_until_confirmed(last, self.limit)?;
        other.bus.subscribe(subject, false)
    }

    fn knows_patterns(&self, other: &End<'_>) -> Result<(), Error> {
        let cases = [
            ("exchange.p.*", "exchange.p.a", "exchange.p.a.b"),
            ("exchange.*.q", "exchange.a.q", "exchange.a.b.q"),
            ("exchange.r.>", "exchange.r.a.b", "exchange.r"),
            ("exchange.s.*.>", "exchange.s.a.b.c", "exchange.s.a"),
        ];
        for (pattern, fits, fits_not) in cases {
            other.want(pattern, self, fits)?;
            self.publish(fits_not, None, b"not wanted")?;
            self.publish(fits, None, b"end")?;
            let received = other.until(fits, b"end")?;
            if received.len() != 1 {
                let what = format!("`{pattern}` lets `{}` in", received[0].subject);
                return Err(what.into());
            }
            other.bus.subscribe(pattern, false)?;
        }
        Ok(())
    }

    fn stays_silent_when_nobody_wants_it(&self, other: &End<'_>) -> Result<(), Error> {
        let (subject, end) = ("exchange.gone", "exchange.end");
        other.want(end, self, end)?;
        // Said twice, it is there once.
        other.want(subject, self, subject)?;
        other.bus.subscribe(subject, true)?;
        other.bus.subscribe(subject, false)?;
        let until = Instant::now() + self.limit;
        // Until the engine knows, some may still come.
        loop {
            self.publish(subject, None, b"too late")?;
            self.publish(end, None, b"end")?;
            if other.until(end, b"end")?.len() == 1 {
                break;
            }
            if Instant::now() > until {
                return Err("what is not wanted any more still comes".into());
            }
        }
        std::thread::sleep(QUIET);
        match other.bus.received().as_slice() {
            [] => other.bus.subscribe(end, false),
            more => Err(format!("more comes than was sent: {}", in_words(more)).into()),
        }
    }

    fn is_told_that_nobody_listens(&self) -> Result<(), Error> {
        let (subject, reply) = ("exchange.nobody", "exchange.re.2");
        // As whoever asks does; an engine tells it where the answers would go.
        self.bus.subscribe(reply, true)?;
        self.publish(subject, Some(reply), b"?")?;
        self.bus.wait_for_nobody(subject, self.limit)
    }
}

fn in_words(datagrams: &[Datagram]) -> String {
    let words = datagrams.iter().map(|datagram| {
        let Datagram {
            subject,
            reply,
            data,
        } = datagram;
        format!("{} bytes to `{subject}` (reply {reply:?})", data.len())
    });
    words.collect::<Vec<_>>().join(", ")
}
