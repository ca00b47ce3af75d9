package nextclick.storage

import java.io.{ByteArrayOutputStream, FileNotFoundException, IOException}
import java.nio.charset.StandardCharsets.UTF_8
import java.util.UUID

import scala.jdk.CollectionConverters._

import io.delta.storage.HadoopFileSystemLogStore
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileAlreadyExistsException, FileStatus, FileSystem, Path, PathFilter}
import org.apache.spark.sql.execution.streaming.checkpointing.CheckpointFileManager.CancellableFSDataOutputStream
import org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager

/** Writes an object of S3, whole, if there is none: of any number of writers one wins, and the others are told. */
private[storage] object ConditionalPut {
  private val Header = "nextclick-write"

  /** Raises FileAlreadyExistsException where another wrote the object. An id among the object's metadata tells a reply that
    * was lost from a race that was lost. `must` has a file system refuse that could not keep the condition. */
  def apply(fs: FileSystem, path: Path, bytes: Array[Byte]): Unit = {
    val id = UUID.randomUUID().toString
    try {
      val builder = fs.createFile(path)
      builder.overwrite(false)
      builder.must("fs.option.create.conditional.overwrite", true)
      builder.opt("fs.s3a.create.header." + Header, id)
      val out = builder.build()
      out.write(bytes)
      out.close()
    } catch {
      case error: IOException =>
        val writer =
          try fs.getXAttrs(path).asScala.collectFirst {
            // A server in Go gives a header's name back with capitals.
            case (name, value) if name.equalsIgnoreCase("header." + Header) => new String(value, UTF_8)
          }
          catch { case _: FileNotFoundException => throw error }
        if (!writer.contains(id)) {
          val taken = new FileAlreadyExistsException(path.toString)
          taken.initCause(error)
          throw taken
        }
    }
  }
}

/** Delta's log in S3 by conditional writes: a version is one writer's, and Delta's own check of conflicts says what the others do. */
class ConditionalLogStore(conf: Configuration) extends HadoopFileSystemLogStore(conf) {
  override def write(path: Path, actions: java.util.Iterator[String], overwrite: java.lang.Boolean, conf: Configuration): Unit = {
    val text = new StringBuilder
    while (actions.hasNext) text.append(actions.next()).append('\n')
    val bytes = text.toString.getBytes(UTF_8)
    val fs = path.getFileSystem(conf)
    if (overwrite) {
      val out = fs.create(path, true)
      out.write(bytes)
      out.close()
    } else
      try ConditionalPut(fs, path, bytes)
      catch {
        case taken: FileAlreadyExistsException =>
          throw new java.nio.file.FileAlreadyExistsException(path.toString, null, "written by another").initCause(taken)
      }
  }

  override def isPartialWriteVisible(path: Path, conf: Configuration): java.lang.Boolean = false
}

/** A query's checkpoint in S3: a file is there whole or not at all, without a rename, and one that is there is not written again. */
class ConditionalCheckpointFileManager(folder: Path, conf: Configuration) extends FileSystemBasedCheckpointFileManager(folder, conf) {
  override def createAtomic(path: Path, overwriteIfPossible: Boolean): CancellableFSDataOutputStream =
    if (isLocal) super.createAtomic(path, overwriteIfPossible) // a session may have lakes of both kinds
    else new Pending(path.getFileSystem(conf), path, overwriteIfPossible, new ByteArrayOutputStream)

  // A store has no folders: an object that stood for one would outlive what lies in it.
  override def mkdirs(path: Path): Unit = if (isLocal) super.mkdirs(path)

  override def createCheckpointDirectory(): Path =
    if (isLocal) super.createCheckpointDirectory() else folder.getFileSystem(conf).makeQualified(folder)

  override def list(path: Path, filter: PathFilter): Array[FileStatus] =
    try super.list(path, filter)
    catch { case _: FileNotFoundException => Array.empty }

  private class Pending(fs: FileSystem, path: Path, overwrites: Boolean, bytes: ByteArrayOutputStream)
      extends CancellableFSDataOutputStream(bytes) {
    private var ended = false

    override def cancel(): Unit = ended = true

    override def close(): Unit = if (!ended) {
      ended = true
      flush()
      if (overwrites) {
        val out = fs.create(path, true)
        out.write(bytes.toByteArray)
        out.close()
      } else ConditionalPut(fs, path, bytes.toByteArray)
    }
  }
}
