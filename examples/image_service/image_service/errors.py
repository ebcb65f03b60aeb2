#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What a user of the service gets to read, each in one line."""


class ImageError(Exception):
    """Base of what can be wrong with an image or the store."""


class ChecksumMismatch(ImageError):
    """The file is not what the user says it is."""


class ImageNotFound(ImageError):
    """There is no image of that id."""


class NotUndone(ImageError):
    """An import has failed, and so has its undo."""


class StoreError(ImageError):
    """The store cannot be used, or is full."""
