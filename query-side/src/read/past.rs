//! Takes a snapshot back to a position: the tables that it names from then on are those of what rows were.

use std::collections::BTreeSet;

use contract::history::{AS_OF_SETTING, POSITIONS_OF_MOMENT};
use contract::{LogPosition, Position};
use jiff::{SignedDuration, Timestamp};

use super::snapshot::Snapshot;
use crate::as_of::AsOf;
use crate::error::ReadError;

const SET: &str = "SELECT set_config($1, $2, true)";

impl Snapshot {
    /// From here on, what is read of these projections is as it was.
    ///
    /// # Errors
    /// The past is not kept as far back, or the projections have not come as far.
    pub(super) async fn go_back(
        &mut self,
        projections: &BTreeSet<&'static str>,
        as_of: AsOf,
    ) -> Result<(), ReadError> {
        let Some(served) = self.position(projections) else { return Ok(()) };
        let at = match as_of {
            AsOf::Position(position) if position.log != served.log => {
                return Err(ReadError::OtherLog { requested: position });
            }
            AsOf::Position(position) => position.at,
            AsOf::Time(moment) => {
                let at = self.position_at(projections, moment).await?;
                at.ok_or(ReadError::AsOfNotYet { position: served })?
            }
        };
        for projection in projections {
            self.check_kept(projection, at, as_of)?;
        }
        if at > served.at {
            return Err(ReadError::AsOfNotYet { position: served });
        }
        self.query(SET, &[&AS_OF_SETTING, &at.0.to_string()]).await?;
        self.as_of = Some(Position { log: served.log, at });
        Ok(())
    }

    /// The last position before the first event of these projections that was recorded later than a moment; none when
    /// some may still come that was not.
    async fn position_at(
        &self,
        projections: &BTreeSet<&'static str>,
        moment: Timestamp,
    ) -> Result<Option<LogPosition>, ReadError> {
        let (mut later, mut last) = (None::<i64>, 0_i64);
        let mut known_to = Timestamp::now();
        for projection in projections {
            let status = self.served(projection)?;
            let rows = self.query(POSITIONS_OF_MOMENT, &[&status.name, &status.version, &moment]).await?;
            let Some(row) = rows.first() else { continue };
            if let Some(of_projection) = row.try_get::<_, Option<i64>>("later")? {
                later = Some(later.map_or(of_projection, |other| other.min(of_projection)));
            } else {
                let lag =
                    SignedDuration::try_from_secs_f64(status.lag_seconds).unwrap_or(SignedDuration::MAX);
                known_to = known_to.min(Timestamp::now().saturating_sub(lag).unwrap_or_default());
            }
            let begins = status.history.map_or(0, |history| history.from.0.cast_signed());
            last = last.max(row.try_get::<_, Option<i64>>("last")?.unwrap_or_default()).max(begins);
        }
        if let Some(later) = later {
            return Ok(Some(LogPosition(later.cast_unsigned().saturating_sub(1))));
        }
        Ok((moment <= known_to).then_some(LogPosition(last.cast_unsigned())))
    }

    fn check_kept(&self, projection: &'static str, at: LogPosition, as_of: AsOf) -> Result<(), ReadError> {
        let status = self.served(projection)?;
        let Some(history) = status.history else {
            return Err(ReadError::AsOfTooOld { projection, oldest: None });
        };
        let is_before = matches!((as_of, history.since), (AsOf::Time(moment), Some(since)) if moment < since);
        if is_before || at < history.from {
            let from = Position { log: status.position.log, at: history.from };
            return Err(ReadError::AsOfTooOld { projection, oldest: Some((from, history.since)) });
        }
        Ok(())
    }
}
